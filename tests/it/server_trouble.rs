//! What is wrong with the database's server or its configuration, through the built binary: each a clear word, nothing
//! lost, nothing sent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::process::Output;

use crate::support::guarded::Guarded;
use crate::support::tap::Authority;
use crate::support::{World, said, urls};

const PASSWORD: &str = "hunter2:\\x";

/// It ends with this code, says these things, and never the password.
fn expect(output: &Output, code: i32, parts: &[&str]) {
    let text = said(output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} are not all in {text}");
    assert!(!text.contains("hunter2"), "{text}");
}

/// A world whose database is on a server that asks for passwords, with a role and a database for it.
fn guarded(names: &[&str], parameters: &str) -> Option<(Guarded, World, Authority)> {
    let authority = Authority::new();
    let server = Guarded::prepared(&authority, names)?;
    let url = format!("{}{parameters}", server.url("warmer", "queue"));
    let world = World::asking(&server.socket_url("queue"), "", &format!("[database]\nurl = \"{url}\""));
    Some((server, world, authority))
}

fn make(server: &Guarded, world: &World) {
    let role = format!("create role warmer login password '{PASSWORD}'");
    world.block_on(server.run("postgres", &[&role, "create database queue owner warmer"]));
}

#[test]
fn a_server_that_is_not_there_is_waited_for_and_everything_goes_on_once_it_is() {
    let Some((server, world, _)) = guarded(&["127.0.0.1"], "") else { return };
    server.start();
    make(&server, &world);
    server.stop();
    let manager = UnixDatagram::bind(world.path("notify")).unwrap();
    let mut command = world.daemon_command();
    let daemon = World::spawn(command.env("NOTIFY_SOCKET", world.path("notify")).env("PGPASSWORD", PASSWORD));
    world.drop_settled("film.txt", urls("a", 3));
    let mut told = String::new();
    while !told.contains("READY=1") || !told.contains("STATUS=waiting for the database server: ") {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).unwrap();
        told.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    let run = |args: &[&str]| world.command(args).env("PGPASSWORD", PASSWORD).output().unwrap();
    let cannot = "the database server cannot be used now (";
    expect(&run(&["status"]), 1, &["cannot use its database", cannot, "check"]);
    let json: serde_json::Value = serde_json::from_slice(&run(&["status", "--json"]).stdout).unwrap();
    assert_eq!((json["health"].as_str(), json["database_code"].as_str()), (Some("blocked"), Some("away")));
    assert_eq!(json["pid"].as_i64(), Some(daemon.id().into()));
    for args in [["files"].as_slice(), &["pause"], &["retry", "--file", "film.txt"], &["check"], &["wait", "film.txt"]]
    {
        expect(&run(args), 75, &[cannot]);
    }
    let chinese = world.command(&["files", "--lang", "zh"]).output().unwrap();
    expect(&chinese, 75, &["数据库服务器目前不可用（"]);
    server.start();
    world.wait("the file to be sent", || world.try_number("select submitted from v_status") == Some(3));
    world.assert_all_accepted(3);
    expect(&run(&["status"]), 0, &["running"]);
    // Once for each reason: refused, and perhaps starting, or without the role.
    let waits = world.count_log("the database server cannot be used yet");
    assert!((1..5).contains(&waits), "{}", world.log());
    assert_eq!((world.count_log("the database server can be used"), world.count_log("hunter2")), (1, 0));
    // A daemon that waits ends at once when it is asked to.
    world.stop(daemon);
    server.stop();
    let daemon = World::spawn(world.daemon_command().env("PGPASSWORD", PASSWORD));
    world.wait("the wait", || world.count_log("the database server cannot be used yet") > waits);
    world.stop(daemon);
    expect(&run(&["status"]), 69, &["no daemon is running", cannot]);
}

#[test]
fn a_password_comes_from_its_places_and_from_no_file_that_others_may_read() {
    let Some((server, world, _)) = guarded(&["127.0.0.1"], "?sslmode=require") else { return };
    server.start();
    make(&server, &world);
    let refused = "does not let this role in (password authentication failed for user \"warmer\")";
    let home = world.path("home");
    let (at_home, named) = (home.join(".pgpass"), world.path("passwords"));
    let handed = world.path("handed");
    fs::create_dir_all(&home).unwrap();
    fs::create_dir_all(&handed).unwrap();
    let write = |path: &std::path::Path, text: &str, mode: u32| {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let run = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = world.command(args);
        command.env("HOME", &home).envs(variables.iter().copied()).output().unwrap()
    };
    for args in [["run", "--allow-root"].as_slice(), &["files"], &["check"]] {
        expect(&run(args, &[("PGPASSWORD", "wrong-hunter2")]), 78, &[refused]);
    }
    expect(&run(&["files"], &[]), 78, &["does not let this role in"]);
    // There are no tables yet, so who is let in is told that.
    let is_in = |variables: &[(&str, &str)]| expect(&run(&["files"], variables), 69, &["no tables of prefetchd"]);
    is_in(&[("PGPASSWORD", PASSWORD)]);
    let line = format!("127.0.0.1:{}:queue:warmer:{}\n", server.port, PASSWORD.replace('\\', "\\\\"));
    write(&at_home, &line, 0o600);
    is_in(&[]);
    write(&at_home, &line, 0o640);
    expect(&run(&["files"], &[]), 78, &["/home/.pgpass has mode 0640", "chmod 600"]);
    fs::remove_file(&at_home).unwrap();
    let variables = [("PGPASSFILE", named.to_str().unwrap())];
    write(&named, &line, 0o600);
    is_in(&variables);
    write(&named, "not:a:line:hunter2\n", 0o600);
    expect(&run(&["files"], &variables), 78, &["does not let this role in"]);
    write(&named, &line, 0o604);
    expect(&run(&["files"], &variables), 78, &["mode 0604"]);
    write(&handed.join("database-password"), &format!("{PASSWORD}\n"), 0o400);
    // What systemd hands over counts before everything else.
    is_in(&[("CREDENTIALS_DIRECTORY", handed.to_str().unwrap()), ("PGPASSWORD", "wrong"), variables[0]]);
    // A password in the URL is refused before anything is asked.
    let url = server.url("warmer:hunter2", "queue");
    world.configure(&format!("[database]\nurl = \"{url}\""));
    for args in [["run", "--allow-root"].as_slice(), &["status"], &["check"]] {
        expect(&run(args, &[]), 78, &["[database] url", "must be without a password", "PGPASSFILE"]);
    }
}

#[test]
fn a_certificate_is_checked_by_the_authority_and_the_name_that_are_configured() {
    let Some((server, world, authority)) = guarded(&["localhost"], "") else { return };
    server.start();
    make(&server, &world);
    fs::write(world.path("ca.pem"), &authority.pem).unwrap();
    fs::write(world.path("other.pem"), Authority::new().pem).unwrap();
    let run = |host: &str, mode: &str, file: &str| {
        let url = server.url("warmer", "queue").replace("127.0.0.1", host);
        let file = world.path(file);
        let url = format!("{url}?sslmode={mode}&sslrootcert={}", file.display());
        world.configure(&format!("[database]\nurl = \"{url}\""));
        world.command(&["files"]).env("PGPASSWORD", PASSWORD).output().unwrap()
    };
    for (host, mode) in [("localhost", "verify-full"), ("127.0.0.1", "verify-ca"), ("127.0.0.1", "require")] {
        expect(&run(host, mode, "ca.pem"), 69, &["no tables of prefetchd"]);
    }
    let unsafe_one = "the connection to the database server is not safe (";
    expect(&run("127.0.0.1", "verify-full", "ca.pem"), 78, &[unsafe_one, "not valid for name"]);
    expect(&run("localhost", "verify-full", "other.pem"), 78, &[unsafe_one, "invalid peer certificate", "sslrootcert"]);
    expect(&run("localhost", "verify-ca", "other.pem"), 78, &[unsafe_one]);
    expect(&run("localhost", "verify-full", "none.pem"), 78, &[unsafe_one, "none.pem: No such file"]);
    // The daemon speaks TLS with all its connections.
    run("localhost", "verify-full", "ca.pem");
    let daemon = World::spawn(world.daemon_command().env("PGPASSWORD", PASSWORD));
    world.drop_file("film.txt", urls("a", 3));
    world.wait("the file to be sent", || world.try_number("select submitted from v_status") == Some(3));
    let plain = "select count(*) from pg_stat_ssl as s join pg_stat_activity as a on a.pid = s.pid
                 where a.usename = 'warmer' and not s.ssl";
    assert_eq!(world.number(plain), 0);
    assert!(world.number(&plain.replace("not s.ssl", "s.ssl")) > 1);
    world.stop(daemon);
    assert_eq!(world.count_log("hunter2"), 0);
}

/// A world on the tests' server, whose database is prepared by these statements.
fn prepared(statements: &[&str]) -> Option<World> {
    let world = World::on_server("", "")?;
    let url = world.url();
    world.block_on(async {
        use sqlx::Connection as _;
        let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
        for statement in statements {
            sqlx::raw_sql(sqlx::AssertSqlSafe(*statement)).execute(&mut conn).await.unwrap();
        }
    });
    Some(world)
}

impl World {
    fn is_refused(&self, code: i32, parts: &[&str]) {
        for args in [["run", "--allow-root"].as_slice(), &["files"], &["pause"], &["check"]] {
            expect(&self.run(args), code, parts);
        }
        assert!(self.account().calls.is_empty());
    }
}

#[test]
fn a_database_that_is_not_there_not_ours_or_newer_is_left_as_it_is() {
    let Some(world) = prepared(&["create table files (a integer)"]) else { return };
    world.is_refused(78, &["the schema public in postgres://", "that are not prefetchd's (files)", "of its own"]);
    let tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'";
    assert_eq!(sql(&world, tables), 1);
    // Another program's migrations are not ours either, and what an extension brings is nobody's.
    let others = "create table _sqlx_migrations (version bigint); create view v_status as select 1 as a";
    let world = prepared(&[others]).unwrap();
    world.is_refused(78, &["not prefetchd's (_sqlx_migrations, v_status)"]);

    let world = prepared(&[]).unwrap();
    world.configure(&format!("[database]\nurl = \"{}\"", world.url().replace("/world_", "/no_world_")));
    world.is_refused(78, &["the database server has no such database (", "create database"]);

    let world = prepared(&[]).unwrap();
    drop(world.ready_daemon());
    world.block_on(exec(&world, "insert into _sqlx_migrations select 9999, 'later', now(), true, '', 0"));
    world.is_refused(78, &["the database's schema is version 9999", "install a newer prefetchd"]);
    world.block_on(exec(&world, "delete from _sqlx_migrations where version = 9999"));
    // The books of another product.
    world.drop_file("film.txt", urls("a", 3));
    let daemon = world.daemon();
    world.wait_for("select submitted from v_status", 3);
    world.stop(daemon);
    world.configure("[api]\nproduct = \"cdn\"");
    for args in [["run", "--allow-root"].as_slice(), &["check"]] {
        expect(&world.run(args), 78, &["holds the queue and the books of \"vod\"", "postgres://"]);
    }
}

#[test]
fn a_role_without_the_rights_is_told_which_one_is_missing() {
    let Some(world) = prepared(&["create role stranger login", "revoke create on schema public from public"]) else {
        return;
    };
    let own = world.url();
    world.configure(&format!("[database]\nurl = \"{}\"", own.replace("tests@", "stranger@")));
    let lacks = "the role lacks a right in the database (permission denied for schema public)";
    expect(&world.run(&["run", "--allow-root"]), 78, &[lacks, "docs/operate.md"]);
    world.configure("");
    drop(world.ready_daemon());
    world.configure(&format!("[database]\nurl = \"{}\"", own.replace("tests@", "stranger@")));
    let lacks = "the role lacks a right in the database (permission denied for ";
    for args in [["run", "--allow-root"].as_slice(), &["files"], &["status"], &["pause"], &["check"]] {
        expect(&world.run(args), 78, &[lacks]);
    }
}

#[test]
fn members_read_with_a_role_that_has_only_select() {
    let Some(world) = prepared(&["create role readers"]) else { return };
    let daemon = world.ready_daemon();
    let grants = "grant usage on schema public to readers; grant select on all tables in schema public to readers;
                  create role ann login in role readers";
    world.block_on(exec(&world, grants));
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    let own = world.url();
    world.configure(&format!("[database]\nurl = \"{}\"", own.replace("tests@", "ann@")));
    for args in [
        ["status"].as_slice(),
        &["status", "film.txt"],
        &["files"],
        &["urls"],
        &["submissions"],
        &["hosts"],
        &["why", "https://vod.example.com/a/seg-000001.ts"],
        &["export", "--file", "film.txt"],
        &["forecast"],
        &["wait", "film.txt", "--for", "sent"],
    ] {
        expect(&world.run(args), 0, &[]);
    }
    for args in [["pause"].as_slice(), &["resume"], &["budget", "confirm", "--requests-used", "3"]] {
        expect(&world.run(args), 77, &["the role may only read the database"]);
    }
    expect(&world.run(&["check"]), 78, &["the role may not read and write all that prefetchd has to (account, "]);
    world.stop(daemon);
    expect(&world.run(&["run", "--allow-root"]), 78, &["permission denied for table"]);
}

#[test]
fn what_a_server_lacks_is_named_by_check() {
    let Some(world) = prepared(&[]) else { return };
    // The tests' server does not wait for its disk.
    expect(&world.run(&["check"]), 0, &["(will be made)", "PostgreSQL ", "fsync is off"]);
    drop(world.ready_daemon());
    let name = sql_text(&world, "select current_database()::text");
    world.block_on(exec(&world, &format!("alter database {name} set synchronous_commit = off")));
    expect(&world.run(&["check"]), 0, &["database ok: postgres://", "synchronous_commit is off"]);
    world.block_on(exec(&world, &format!("alter database {name} set default_transaction_read_only = on")));
    expect(&world.run(&["check"]), 78, &["the database server only reads (its transactions are read-only)", "primary"]);
}

#[test]
fn a_server_that_only_reads_is_waited_for_and_one_without_room_loses_nothing() {
    let Some(world) = prepared(&[]) else { return };
    drop(world.ready_daemon());
    let name = world.url().rsplit_once("/world_").unwrap().1.split('?').next().unwrap().to_owned();
    let set = |to: &str| format!("alter database world_{name} set default_transaction_read_only = {to}");
    world.block_on(exec(&world, &set("on")));
    let before = world.count_log("ready version");
    let daemon = world.daemon();
    let reads = "the database server only reads (its transactions are read-only)";
    world.wait("the wait", || world.count_log(reads) > 0);
    expect(&world.run(&["status"]), 1, &["cannot use its database", reads]);
    expect(&world.run(&["pause"]), 75, &[reads, "primary"]);
    world.block_on(exec(&world, &format!("begin; set transaction read write; {}; commit", set("off"))));
    world.wait("the start", || world.count_log("ready version") > before);

    let full = "create function full_disk() returns trigger language plpgsql as
                $$begin raise exception 'no room is left' using errcode = '53100'; end$$;
                create trigger full_disk before insert on files execute function full_disk()";
    world.block_on(exec(&world, full));
    world.drop_file("film.txt", urls("a", 3));
    world.wait("the trouble", || {
        let text = said(&world.run(&["status"])).split_whitespace().collect::<Vec<_>>().join(" ");
        text.contains("the disk under the database is full (no room is left)")
    });
    assert_eq!(world.number("select count(*) from v_files"), 0);
    world.block_on(exec(&world, "drop trigger full_disk on files"));
    world.wait_for("select submitted from v_status", 3);
    world.assert_all_accepted(3);
    world.stop(daemon);
}

/// Does something past the program.
async fn exec(world: &World, statement: &str) {
    use sqlx::Connection as _;
    let mut conn = sqlx::PgConnection::connect(&world.url()).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut conn).await.unwrap();
}

fn sql_text(world: &World, query: &str) -> String {
    use sqlx::Connection as _;
    world.block_on(async {
        let mut conn = sqlx::PgConnection::connect(&world.url()).await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut conn).await.unwrap()
    })
}

fn sql(world: &World, query: &str) -> i64 {
    use sqlx::Connection as _;
    world.block_on(async {
        let mut conn = sqlx::PgConnection::connect(&world.url()).await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&mut conn).await.unwrap()
    })
}
