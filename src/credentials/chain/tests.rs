use super::*;

fn world(set: &[(&str, &str)], files: &[&str]) -> World {
    let variables = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    World { variables, files: files.iter().map(PathBuf::from).collect(), ..World::default() }
}

fn decided(keys: &Keys, world: &World) -> Result<Place, Error> {
    Chain { keys, world }.decide()
}

const CLI: &str = "/home/me/.aliyun/config.json";
const INI: &str = "/home/me/.alibabacloud/credentials.ini";
const INI_OF_GO: &str = "/home/me/.alibabacloud/credentials";

/// Everything is there at once.
fn rich() -> World {
    let set = [
        ("HOME", "/home/me"),
        (ID_VARIABLE, "id"),
        (SECRET_VARIABLE, "secret"),
        (ROLE_ARN, "acs:ram::1:role/r"),
        (OIDC_PROVIDER, "acs:ram::1:oidc-provider/p"),
        (OIDC_TOKEN, "/token"),
        (ECS_ROLE, "instance"),
        (URI, "http://127.0.0.1/key"),
    ];
    let mut rich = world(&set, &[CLI, INI, INI_OF_GO]);
    rich.systemd = Some("/run/credentials".into());
    rich
}

#[test]
fn the_first_source_in_the_order_of_the_sdks_wins_and_each_is_next_without_those_before_it() {
    let mut rich = rich();
    let mut keys = Keys { file: Some("/key".into()), ..Keys::default() };
    assert_eq!(decided(&keys, &rich), Ok(Place::Systemd("/run/credentials".into())));
    rich.systemd = None;
    assert_eq!(decided(&keys, &rich), Ok(Place::File("/key".into())));
    keys.file = None;
    assert_eq!(decided(&keys, &rich), Ok(Place::Environment));
    rich.variables.remove(ID_VARIABLE);
    // Half a key is a mistake, not a wish for the next source.
    assert_eq!(decided(&keys, &rich), Ok(Place::Environment));
    rich.variables.insert(SECRET_VARIABLE.to_owned(), " ".to_owned());
    let oidc = Oidc {
        role_arn: "acs:ram::1:role/r".to_owned(),
        provider: "acs:ram::1:oidc-provider/p".to_owned(),
        token_file: "/token".into(),
    };
    assert_eq!(decided(&keys, &rich), Ok(Place::Oidc(oidc)));
    // All three are needed.
    rich.variables.remove(OIDC_TOKEN);
    assert_eq!(decided(&keys, &rich), Ok(Place::Profile { path: CLI.into(), name: None }));
    rich.variables.insert(CLI_DISABLED.to_owned(), "TRUE".to_owned());
    rich.variables.insert(PROFILE.to_owned(), "prod".to_owned());
    assert_eq!(decided(&keys, &rich), Ok(Place::Ini { path: INI.into(), name: "prod".to_owned() }));
    rich.files.retain(|path| path != Path::new(INI));
    keys.profile = Some("mine".to_owned());
    assert_eq!(decided(&keys, &rich), Ok(Place::Ini { path: INI_OF_GO.into(), name: "mine".to_owned() }));
    rich.files.clear();
    let Ok(Place::Ecs(metadata)) = decided(&keys, &rich) else { panic!("the instance's role is next") };
    assert_eq!((metadata.role.as_deref(), metadata.without_token), (Some("instance"), false));
    rich.variables.insert(ECS_DISABLED.to_owned(), "true".to_owned());
    assert_eq!(decided(&keys, &rich), Ok(Place::Uri("http://127.0.0.1/key".parse().unwrap())));
    rich.variables.remove(URI);
    assert_eq!(decided(&keys, &rich), Err(Error::None));
}

#[test]
fn a_source_that_is_configured_is_the_only_one_and_says_what_it_lacks() {
    let sources = [
        (KeySource::Systemd, "LoadCredential="),
        (KeySource::File, "[credentials] file is not set"),
        (KeySource::Env, ID_VARIABLE),
        (KeySource::Oidc, ROLE_ARN),
        (KeySource::Profile, "aliyun configure"),
        (KeySource::Ini, ".alibabacloud/credentials.ini"),
        (KeySource::Uri, URI),
    ];
    for (source, part) in sources {
        let keys = Keys { source, ..Keys::default() };
        let error = decided(&keys, &World::default()).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(source.word()), "{error}");
        assert!(source == KeySource::File || decided(&keys, &rich()).is_ok(), "{source:?}");
    }
    let keys = Keys { source: KeySource::Ecs, ..Keys::default() };
    assert!(matches!(decided(&keys, &World::default()), Ok(Place::Ecs(_))), "it needs no variable");
}

#[test]
fn an_instance_is_one_where_the_machine_says_so_and_only_tests_move_its_metadata_service() {
    let mut bare = World { is_ecs: true, ..World::default() };
    let keys = Keys::default();
    let Ok(Place::Ecs(metadata)) = decided(&keys, &bare) else { panic!("it is an instance") };
    assert_eq!((metadata.url.as_str(), metadata.role), ("http://100.100.100.200/", None));
    for (text, is_fine) in [("http://127.0.0.1:1", true), ("http://[::1]:1", true), ("http://192.0.2.1", false)] {
        bare.variables.insert(METADATA.to_owned(), text.to_owned());
        assert_eq!(decided(&keys, &bare).is_ok(), is_fine, "{text}");
    }
    bare.variables.insert(METADATA.to_owned(), "http://127.0.0.1:1".to_owned());
    for (text, is_allowed) in [("true", false), ("false", true), ("yes", false)] {
        bare.variables.insert(V1_DISABLED.to_owned(), text.to_owned());
        let Ok(Place::Ecs(metadata)) = decided(&keys, &bare) else { panic!("it is an instance") };
        assert_eq!(metadata.without_token, is_allowed, "{text}");
    }
}

#[test]
fn roles_are_assumed_where_it_is_configured_or_in_the_region_that_is_set() {
    let mut world = world(&[], &[]);
    let mut keys = Keys::default();
    assert_eq!(Chain { keys: &keys, world: &world }.role(), None);
    keys.role_arn = Some("acs:ram::1:role/r".to_owned());
    let role = |keys: &Keys, world: &World| Chain { keys, world }.role().unwrap();
    let plain = role(&keys, &world);
    assert_eq!((plain.sts.to_string().as_str(), plain.session.as_str()), ("https://sts.aliyuncs.com", "prefetchd"));
    world.variables.insert(STS_REGION.to_owned(), "cn-shanghai".to_owned());
    assert_eq!(role(&keys, &world).sts.to_string(), "https://sts.cn-shanghai.aliyuncs.com");
    world.variables.insert(VPC.to_owned(), "true".to_owned());
    assert_eq!(role(&keys, &world).sts.to_string(), "https://sts-vpc.cn-shanghai.aliyuncs.com");
    world.variables.insert(STS_REGION.to_owned(), "evil.example.com/?".to_owned());
    assert_eq!(role(&keys, &world).sts.to_string(), "https://sts.aliyuncs.com");
    keys.sts_endpoint = Some("https://sts.example.com".parse().unwrap());
    world.variables.insert(SESSION.to_owned(), "night".to_owned());
    let role = role(&keys, &world);
    assert_eq!((role.sts.to_string().as_str(), role.session.as_str()), ("https://sts.example.com", "night"));
}
