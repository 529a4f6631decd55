//! Texts in English and Chinese, and what chooses between them.

use std::fs;

use crate::support::{World, said, urls};

/// What `status` says with these variables and arguments.
fn status(world: &World, variables: &[(&str, &str)], args: &[&str]) -> String {
    let args = [&["status"], args].concat();
    said(&world.command(&args).envs(variables.iter().copied()).output().unwrap())
}

#[test]
fn the_option_the_variable_the_configuration_and_the_locale_choose_in_this_order() {
    let world = World::new("", "");
    let daemon = world.ready_daemon();
    world.stop(daemon);
    let (english, chinese) = ("no daemon is running", "守护进程未运行");
    let locale = ("LC_ALL", "zh_CN.UTF-8");
    for (variables, args, expected) in [
        (&[][..], &[][..], english),
        (&[locale], &[], chinese),
        (&[locale, ("PREFETCHD_LANG", "en")], &[], english),
        (&[("PREFETCHD_LANG", "zh")], &[], chinese),
        (&[("PREFETCHD_LANG", "zh")], &["--lang", "en"], english),
        (&[], &["--lang", "zh"], chinese),
    ] {
        let text = status(&world, variables, args);
        assert!(text.contains(expected), "{variables:?} {args:?}: {text}");
    }
    world.configure("[ui]\nlanguage = \"zh\"\n");
    assert!(status(&world, &[], &[]).contains(chinese));
    assert!(status(&world, &[("PREFETCHD_LANG", "en")], &[]).contains(english));
    let output = world.run(&["status", "--lang", "fr"]);
    assert!(
        output.status.code() == Some(64) && said(&output).contains("[possible values: en, zh]"),
        "{}",
        said(&output)
    );
    let path = world.path("prefetchd.toml");
    let text = fs::read_to_string(&path).unwrap().replace("\"zh\"", "\"fr\"");
    fs::write(path, text).unwrap();
    let output = world.run(&["status"]);
    assert!(output.status.code() == Some(78) && said(&output).contains("`en` or `zh`"), "{}", said(&output));
}

#[test]
fn status_of_the_whole_and_of_a_file_speak_chinese_and_json_stays_as_it_is() {
    let world = World::new("", "");
    let _daemon = world.ready_daemon();
    assert_eq!(world.run(&["pause", "--reason", "源站维护"]).status.code(), Some(0));
    world.drop_file("首映.txt", format!("#: priority = urgent\nno url here\n{}", urls("a", 3)));
    world.drop_file("broken.txt", "this is prose\n");
    world.wait_for("select count(*) from v_files where progress <> 'reading'", 2);
    world.wait_for("select pending from v_status", 3);
    world.wait_for("select count(*) from files where finished_at is not null", 1);
    let chinese = &[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "")];
    let text = status(&world, chinese, &[]);
    for part in
        ["待处理      提交已由", "：源站维护", "队列        3 个待提交：紧急 3", "已拒收：共 1 行，没有一行是 URL"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let text = status(&world, chinese, &["首映.txt"]);
    for part in
        ["3 个 URL 中 0 个已预热", "入队 3，无效 1", "优先级紧急", "下一步      $ prefetchd wait 首映.txt --config"]
    {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let json = |variables| status(&world, variables, &["broken.txt", "--json"]);
    assert_eq!(json(&chinese[..]), json(&[]));
}

#[test]
fn commands_and_their_errors_speak_chinese_and_why_tells_local_times_once() {
    let world = World::new("", "");
    let zh = |args: &[&str]| world.run(&[args, &["--lang", "zh"]].concat());
    assert!(said(&zh(&["status"])).contains("处还没有数据库；`prefetchd run --config /"), "{}", said(&zh(&["status"])));
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", urls("a", 1));
    world.wait_for("select submitted from v_status", 1);
    for (args, code, part) in [
        (&["wait", "none.txt"][..], 66, "没有投递过文件 `none.txt`"),
        (&["status", "fil"], 66, "名称包含它的文件："),
        (&["cancel", "--file", "film.txt"], 65, "无需操作：file film.txt 没有状态为 待提交，挂起 的 URL"),
        (&["add", "none.txt"], 66, "读取 none.txt：没有此文件或目录"),
        (&["pause"], 0, "已暂停：正在进行的请求会完成"),
        (&["resume"], 0, "已恢复：继续提交"),
        (&["why", "nothing"], 65, "这样的行不会入队"),
        (&["forecast", "film.txt"], 0, "film.txt 没有待提交的 URL：已提交 1"),
    ] {
        let output = zh(args);
        assert!(output.status.code() == Some(code) && said(&output).contains(part), "{args:?}: {}", said(&output));
    }
    let url = "https://vod.example.com/a/seg-000000.ts";
    let text = said(&world.run(&["why", url]));
    assert!(text.contains("(times are UTC+8)") && text.contains("submission 1 accepted, cost 1"), "{text}");
    assert!(!text.contains('Z'), "{text}");
    let text = said(&zh(&["why", url]));
    assert!(text.contains("（时间为 UTC+8）") && text.contains("批次 1 已受理，计 1 次请求"), "{text}");
    let json = said(&zh(&["why", url, "--json"]));
    assert!(json.contains("\"text\": \"submission 1 accepted, cost 1") && json.contains("Z\""), "{json}");
}

#[test]
fn check_and_a_bare_call_speak_chinese_and_count_every_folder() {
    let world = World::new("", "");
    let english = said(&world.run(&["--lang", "en", "check"]));
    assert!(english.contains("(5 folders will be made)"), "{english}");
    let chinese = said(&world.run(&["--lang", "zh", "check", "--online"]));
    for part in ["投递目录       正常：", "将会创建 5 个目录", "接受此凭证", "来自环境变量"] {
        assert!(chinese.contains(part), "{part}: {chinese}");
    }
    for folder in ["incoming", "work", "done", "rejected"] {
        std::fs::create_dir_all(world.spool(folder)).unwrap();
    }
    let english = said(&world.run(&["--lang", "en", "check"]));
    assert!(english.contains("(1 folder will be made)"), "{english}");
    let bare = world.command(&[]).env("PREFETCHD_LANG", "zh").output().unwrap();
    assert!(said(&bare).contains("尚未创建") && said(&bare).contains("下一步："), "{}", said(&bare));
}
