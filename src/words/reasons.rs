//! Why URLs, domains and the account stand as they do.

use super::Words;
use crate::model::AccountFault;

/// What is wrong with the account, and what to do.
pub const fn account_fault(fault: AccountFault) -> Words {
    match fault {
        AccountFault::NotActivated => Words::fixed(
            "ApsaraVideo VOD is not activated for this account; activate it in the console",
            "此账号未开通视频点播（ApsaraVideo VOD）；请在控制台开通",
        ),
        AccountFault::Suspended => Words::fixed(
            "the account is suspended for an overdue payment; settle it in the console",
            "账号因欠费被停用；请在控制台结清",
        ),
        AccountFault::UnknownKey => Words::fixed(
            "the access key does not exist or is disabled; set another one",
            "AccessKey 不存在或已禁用；请更换",
        ),
        AccountFault::WrongSecret => Words::fixed(
            "the secret does not belong to the access key; correct it",
            "AccessKey Secret 与 AccessKey ID 不匹配；请更正",
        ),
        AccountFault::Forbidden => Words::fixed(
            "the access key's policy does not allow vod:PreloadVodObjectCaches; grant it in the RAM console",
            "AccessKey 的权限策略不允许 vod:PreloadVodObjectCaches；请在 RAM 控制台授权",
        ),
        AccountFault::BadToken => Words::fixed(
            "the security token is invalid or expired; renew the temporary credentials",
            "安全令牌（STS Token）无效或已过期；请更新临时凭证",
        ),
    }
}
