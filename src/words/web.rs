//! The page in the browser: its headings, labels and sentences. Numbers are passed as text, as they are shown.

mod sentences;

pub use sentences::*;

use super::Words;

/// Texts that are always the same.
macro_rules! texts {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        $(
            #[doc = $en]
            pub const $name: Words = Words::fixed($en, $zh);
        )*
    };
}

texts! {
    // Around every page.
    OF_THIS_PAGE: "this page", "本页";
    SKIP: "skip to the content", "跳到正文";
    REFRESH: "refresh every 30 s", "每 30 秒刷新";
    STOP: "stop refreshing", "停止刷新";
    REFRESHING: "refreshed every 30 s", "每 30 秒刷新一次";
    REFRESH_WAITS: "refreshing waits while you read", "您阅读时暂停刷新";
    REFRESH_FAILED: "refreshing has stopped: no answer; this page is as of {at}", "无响应，已停止刷新；本页内容截至 {at}";
    FOOTER: "only for reading: nothing can be changed here", "本页只读：此处不能更改任何内容";
    AS_OF: "as of", "截至";
    BACK: "to the first page", "返回首页";
    // Headings.
    NEEDS: "what needs you", "需要处理";
    WAITING: "what is waited for", "正在等待";
    QUEUE: "the queue", "队列";
    FORECAST: "forecast", "预测";
    FILES: "files", "文件";
    HOSTS: "domains that are not well", "异常的加速域名";
    BATCHES: "the last batches", "最近的批次";
    // The verdict.
    ALL_WELL: "all is well: nothing needs you", "一切正常：无需处理";
    SENDS: "URLs are being sent", "正在提交 URL";
    // The day.
    SPENT: "spent", "已用";
    REALLY_LEFT: "left", "剩余";
    EVEN: "even pace", "匀速参考";
    AT_SERVICE: "at the service", "服务端";
    IN_FLIGHT: "in flight", "预热队列中";
    RESET: "reset", "重置";
    LAST_HOUR: "last hour", "最近一小时";
    RESERVE: "reserve", "预留";
    NUMBERS: "the same numbers as a table", "以表格查看";
    TIME: "time", "时间";
    REQUESTS: "requests", "请求数";
    URLS: "URLs", "URL 数";
    DIRECTORIES: "directories", "目录数";
    LIMIT: "budget", "当日预算";
    QUOTA: "the service's quota", "服务端每日配额";
    UNSURE: "what was spent today is not known for certain", "今日实际用量尚不确定";
    QUOTA_UNTOLD: "the service does not tell what is left; what was charged here counts", "服务端未告知余量；以本机记账为准";
    // Waiting.
    FOR: "for", "等待";
    UNTIL: "until", "直到";
    NEW_URLS: "something new is queued", "有新的 URL 入队";
    NOTHING_KNOWN: "what is waited for is not known", "等待什么尚不清楚";
    // The queue.
    BY_PRIORITY: "pending URLs by priority", "待提交的 URL（按优先级）";
    BY_STATE: "URLs by state", "URL（按状态）";
    EMPTY: "nothing is pending", "没有待提交的 URL";
    OLDEST: "oldest", "等待最久";
    NOT_READ: "not read yet", "尚未读取";
    ALSO: "also", "其他";
    // The forecast.
    AT_RISK: "deadlines at risk, the most urgent first", "有风险的截止时间（最紧急的在前）";
    ALL_SENT: "all sent", "全部提交";
    COST: "cost", "用量";
    NOT_WHILE_PAUSED: "none while nothing is sent", "未提交期间无法预测";
    NOT_AS_IT_IS: "nothing of it can be sent as it is", "按目前情况无法提交";
    // Tables.
    FILE: "file", "文件";
    DEADLINE: "deadline", "截止时间";
    TROUBLE: "trouble", "问题";
    PENDING: "pending", "待提交";
    ON_ITS_WAY: "on its way", "已提交";
    WARM: "warm", "已预热";
    NOT_WARM: "ended without", "未成功";
    FILES_CAPTION: "files, most urgent first; numbers are URLs", "文件（最紧急的在前）；数字为 URL 数";
    NO_FILES: "no file yet: drop one into incoming/, or use `prefetchd add FILE`",
        "尚无文件：请放入 incoming/，或用 `prefetchd add FILE`";
    FIRST_PAGE: "first page", "第一页";
    NEXT_PAGE: "next page", "下一页";
    DOMAIN: "domain", "域名";
    STANDING: "standing", "状态";
    SINCE: "since", "自";
    WHY: "why", "原因";
    REFUSED_HOST: "refused", "被拒绝";
    OFFLINE_HOST: "offline", "未上线";
    BATCH: "batch", "批次";
    SENT: "sent", "提交";
    ENDED: "ended", "结束";
    RESULT: "result", "结果";
    // Notices.
    NOT_FOUND: "there is no such page", "没有此页面";
    NOT_FOUND_MORE: "the pages are the first one and one for each file, /files/ID", "页面有首页和每个文件的页面 /files/ID";
    NO_FILE: "no file has this number", "没有此编号的文件";
    NO_FILE_MORE: "the first page lists files; `prefetchd files` lists all", "首页列出文件；`prefetchd files` 列出全部";
    GONE: "this file is forgotten", "此文件的记录已清除";
    NO_REPORT: "this file has no such report, or it was deleted", "此文件没有该报告，或已删除";
    BAD_QUERY: "this address cannot be read", "无法识别此地址";
    BUSY: "too many different pages are asked for at once", "同时请求的页面过多";
    BUSY_MORE: "the daemon makes only a few pages a second; try again in a moment", "守护进程每秒只生成少量页面；请稍后再试";
    UNREADABLE: "the database cannot be read", "无法读取数据库";
    DAEMON: "daemon", "守护进程";
    DATABASE: "database", "数据库";
    SIGN: "sign of life", "最近的存活信号";
    // A file.
    NEXT: "what to do next", "下一步";
    TIMES: "from drop to warm", "从投递到预热完成";
    NOT_YET: "not yet", "尚未";
    DROPPED: "dropped", "投递";
    READ: "read", "读取完成";
    FIRST_SENT: "first URL sent", "首个 URL 提交";
    LAST_SENT: "last URL sent", "末个 URL 提交";
    FIRST_WARM: "first URL warm", "首个 URL 预热完成";
    LAST_WARM: "last URL warm so far", "目前末个 URL 预热完成";
    FINISHED: "finished", "全部结束";
    READ_AS: "read as", "读取为";
    ASKS_FOR: "asks for", "要求";
    LINES: "lines", "行数";
    WARNING: "warning", "警告";
    WARM_AFTER: "warm after", "预热耗时";
    WARM_AN_HOUR: "URLs warm an hour", "每小时预热完成的 URL";
    SENT_AT: "sent", "提交";
    WARM_BY: "warm by", "预热完成";
    DEADLINES: "deadline", "截止时间";
    WILL_BE_MET: "will be met", "可以按时完成";
    REFUSED_LINES: "refused lines", "无效行";
    REFUSED_BY_REASON: "refused lines by reason", "无效行（按原因）";
    FIRST_REFUSED: "the first refused lines", "前几条无效行";
    REASON: "reason", "原因";
    LINE: "line", "行";
    TEXT: "text", "内容";
    NOT_WARM_YET: "why URLs are not warm", "URL 未预热的原因";
    REASONS_BY_STATE: "URLs that are not warm, by reason", "未预热的 URL（按原因）";
    FAILURES: "the first of them, with the service's answer", "其中前几条及服务端的应答";
    STATE: "state", "状态";
    URL: "URL", "URL";
    ANSWER: "the service's answer", "服务端的应答";
    DOWNLOADS: "downloads", "下载";
    RECEIPT: "receipt (JSON)", "回执（JSON）";
    REFUSED_REPORT: "report of refused lines (TSV)", "无效行报告（TSV）";
    OTHERS: "other files of this name", "其他同名文件";
    REJECTED: "rejected", "已拒收";
    STILL_READ: "still being read", "仍在读取";
    NOT_BEFORE: "not before", "最早时间";
    NOT_TOLD: "not told here: `prefetchd status FILE` tells", "此处未计算：请用 `prefetchd status FILE` 查看";
    FORCE: "also URLs that were warm lately", "近期已预热的 URL 也重新提交";
}
