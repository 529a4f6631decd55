use super::*;

const SHIPPED: &str = include_str!("../../config/prefetchd.toml");

/// Keys without a default; the shipped file has them as comments.
const OPTIONAL: [(&str, &str); 17] = [
    ("api", "query_hashkey"),
    ("api", "consistency_hash"),
    ("api", "with_header"),
    ("api", "ca_file"),
    ("api", "proxy"),
    ("credentials", "file"),
    ("credentials", "profile"),
    ("credentials", "role_arn"),
    ("credentials", "role_session_name"),
    ("credentials", "external_id"),
    ("credentials", "oidc_provider_arn"),
    ("credentials", "oidc_token_file"),
    ("credentials", "sts_endpoint"),
    ("track", "verify_via"),
    ("notify", "command"),
    ("http", "listen"),
    ("database", "host"),
];

#[test]
fn the_shipped_file_is_the_defaults() {
    assert_eq!(Config::from_toml(SHIPPED), Ok(Config::default()));
}

#[test]
fn the_shipped_file_lists_every_key() {
    let shipped: toml::Table = toml::from_str(SHIPPED).expect("the shipped file is TOML");
    let program = toml::Table::try_from(Config::default()).expect("the defaults are TOML");
    for (section, keys) in &program {
        for key in keys.as_table().expect("a section").keys() {
            assert!(shipped[section].get(key).is_some(), "config/prefetchd.toml lacks [{section}] {key}");
        }
    }
    for (section, key) in OPTIONAL {
        let part = SHIPPED.split(&format!("[{section}]")).nth(1).expect("the section stands in the file");
        let line = part.lines().find(|line| line.starts_with(&format!("# {key} = ")));
        let line = line.unwrap_or_else(|| panic!("[{section}] lacks a comment that shows {key}"));
        // Some need another beside them.
        let beside = match key {
            "host" => "url = \"postgres://warmer@rds.example.com/prefetchd\"\n",
            key if key.contains("hash") => "product = \"cdn\"\n",
            _ => "",
        };
        let shown = format!("[{section}]\n{beside}{}", line.trim_start_matches("# "));
        let config = Config::from_toml(&shown).expect("the example in the comment is valid");
        assert_ne!(config, Config::default(), "{shown}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_what_is_allowed() {
    let error = Config::from_toml("[api]\n\n[budget]\nrequests_a_day = 5\n").expect_err("unknown key");
    assert!(
        error.contains("line 4") && error.contains("requests_a_day") && error.contains("`requests_per_day`"),
        "{error}"
    );
    let error = Config::from_toml("[bugdet]\n").expect_err("unknown section");
    assert!(error.contains("line 1") && error.contains("bugdet") && error.contains("`budget`"), "{error}");
}

#[test]
fn a_bad_value_is_named_with_its_line_and_what_is_allowed() {
    for (text, line, key, allowed) in [
        ("[budget]\nrequests_per_day = 0\n", "line 2", "requests_per_day", "1 to 1000000"),
        ("[budget]\n\nrequests_per_day = \"many\"\n", "line 3", "requests_per_day", "1 to 1000000"),
        ("[schedule]\nbatch_urls_max = 1001\n", "line 2", "batch_urls_max", "1 to 1000"),
        ("[schedule]\nlinger = \"soon\"\n", "line 2", "linger", "\"0s\" to \"24h\""),
        ("[schedule]\nlinger = 5\n", "line 2", "linger", "\"0s\" to \"24h\""),
        ("[schedule]\nwindows = [\"7-8\"]\n", "line 2", "windows", "01:00-07:00"),
        ("[budget]\nurls_per_day = \"some\"\n", "line 2", "urls_per_day", "\"auto\" or \"unlimited\""),
        ("[budget]\nday_starts = \"midnight\"\n", "line 2", "day_starts", "00:00+08:00"),
        ("[budget]\nin_doubt = \"drop\"\n", "line 2", "in_doubt", "`resubmit`"),
        ("[api]\nendpoint = \"http://vod.example.com\"\n", "line 2", "endpoint", "loopback"),
        ("[api]\nproxy = \"socks5://a\"\n", "line 2", "proxy", "http://proxy.example.com:3128"),
        ("[api]\nproxy = \"http://me:pass@a\"\n", "line 2", "proxy", "HTTPS_PROXY"),
        ("[api]\nca_file = \"ca.pem\"\n", "line 2", "ca_file", "absolute"),
        ("[api]\nsignature = \"v2\"\n", "line 2", "signature", "`v3`"),
        ("[credentials]\nsts_endpoint = \"http://sts.example.com\"\n", "line 2", "sts_endpoint", "allow_http"),
        ("[credentials]\nsource = \"file\"\n", "line 2", "source", "file = "),
        ("[credentials]\nsource = \"sso\"\n", "line 2", "source", "`oidc`"),
        ("[credentials]\nrole_arn = \"admin\"\n", "line 2", "role_arn", "acs:ram::"),
        ("[credentials]\noidc_token_file = \"token\"\n", "line 2", "oidc_token_file", "absolute"),
        ("[api]\narea = \"moon\"\n", "line 2", "area", "`domestic`"),
        ("[track]\nverify = 1.5\n", "line 2", "verify", "0.0 to 1.0"),
        ("[track]\nverify = nan\n", "line 2", "verify", "0.0 to 1.0"),
        ("[track]\nverify_via = \"edge\"\n", "line 2", "verify_via", "HOST:PORT"),
        ("[database]\nurl = \"postgres://x\"\n", "line 2", "url", "name a database"),
        ("[database]\nurl = \"postgres://u:x@h/d\"\n", "line 2", "url", "PGPASSFILE"),
        ("[database]\nurl = \"mysql://h/d\"\n", "line 2", "url", "sqlite:"),
        ("[database]\nurl = \"sqlite:p.db\"\n", "line 2", "url", "absolute"),
        ("[database]\nhost = \"a b\"\n", "line 2", "host", "1 to 63"),
        ("[database]\nhost = \"warm-1\"\n", "line 2", "host", "postgres://"),
        ("[database]\nlead = 1\n", "line 2", "lead", "true"),
        ("[http]\nlisten = \"everywhere\"\n", "line 2", "listen", "127.0.0.1:9464"),
        // Conditions between two keys.
        ("[http]\nlisten = \"0.0.0.0:9464\"\n", "line 2", "listen", "allow_remote = true"),
        ("[http]\nhosts = [\"warm.example.com:80\"]\n", "line 2", "hosts", "without port"),
        ("[http]\nallow_remote = false\nlisten = \"[::]:9464\"\n", "line 3", "listen", "127.0.0.1:9464"),
        ("[budget]\nrequests_per_day = 10\nreserve = 11\n", "line 3", "reserve", "at most requests_per_day"),
        ("[retry]\nbackoff_min = \"10m\"\nbackoff_max = \"1m\"\n", "line 3", "backoff_max", "10m"),
        ("[spool]\ndomains = [\"https://vod.example.com/\"]\n", "line 2", "domains", "vod.example.com"),
        ("[spool]\ndir = \"here\"\n", "line 2", "dir", "absolute"),
        ("[credentials]\nfile = \"key\"\n", "line 2", "file", "absolute"),
        ("[log]\nlevel = \"loud\"\n", "line 2", "level", "`debug`"),
    ] {
        let error = Config::from_toml(text).expect_err(text);
        assert!(error.contains(line) && error.contains(key) && error.contains(allowed), "{text}\n{error}");
    }
}

#[test]
fn a_remote_address_may_be_listened_on_when_that_is_meant() {
    let allowed =
        ["listen = \"0.0.0.0:9464\"\nallow_remote = true", "listen = \"[::1]:9464\"", "listen = \"127.0.0.2:1\""];
    for text in allowed {
        Config::from_toml(&format!("[http]\n{text}\n")).expect(text);
    }
}

#[test]
fn a_loopback_endpoint_may_be_plain_http() {
    let config = Config::from_toml("[api]\nendpoint = \"http://127.0.0.1:8787\"\n").expect("valid");
    assert!(config.api.endpoint.is_loopback());
}

#[test]
fn a_reload_takes_what_can_change_and_names_what_waits_for_a_restart() {
    let running = Config::default();
    let read = Config::from_toml(
        "[api]\nendpoint = \"https://vod.example.com\"\ntimeout = \"5s\"\n\
         [spool]\ndir = \"/elsewhere\"\nkeep = \"1d\"\n\
         [database]\nurl = \"sqlite:/elsewhere.db\"\n\
         [budget]\nrequests_per_day = 7\n\
         [http]\nlisten = \"127.0.0.1:1\"\n",
    );
    let (config, waiting) = read.expect("valid").reloaded(&running);
    assert_eq!(waiting, ["[api] endpoint", "[spool] dir", "[database] url", "[http] listen"]);
    assert_eq!((&config.spool.dir, &config.database.url), (&running.spool.dir, &running.database.url));
    assert_eq!((config.budget.requests_per_day.get(), config.api.timeout.get().as_secs()), (7, 5));
    let (config, waiting) = Config::default().reloaded(&config);
    assert_eq!((config, waiting), (Config::default(), Vec::new()));
}

#[test]
fn the_example_of_cdn_is_valid() {
    let config = Config::from_toml(include_str!("../../examples/cdn.toml")).expect("the example");
    assert_eq!((config.api.product.word(), config.api.area), ("cdn", Area::Unset));
    assert_eq!(config.api.endpoint.host(), "cdn.aliyuncs.com");
}
