//! What connections can do to the server: nothing to the others.

use super::*;

#[test]
fn a_client_that_sends_a_byte_and_waits_is_dropped_and_others_are_served() {
    let (world, daemon, address) = served("", "");
    let mut slow = connect(address);
    slow.write_all(b"G").unwrap();
    let mut half = connect(address);
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    assert_eq!(get(address, "/healthz").status, 200);
    for client in [&mut slow, &mut half] {
        let mut rest = String::new();
        client.read_to_string(&mut rest).expect("the server closes the connection by itself");
        assert!(!rest.contains("200 OK"), "{rest}");
    }
    // One that is still connected is no reason not to stop.
    let _silent = connect(address);
    world.stop(daemon);
}

#[test]
fn many_connections_are_bounded_and_nobody_is_kept_out_for_long() {
    let (world, daemon, address) = served("", "");
    let sockets = || {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap();
        let targets = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
    };
    let before = sockets();
    let idle: Vec<TcpStream> = (0..200).map(|_| connect(address)).collect();
    let most = Cell::new(0);
    world.wait("the first to be dropped", || {
        most.set(most.get().max(sockets()));
        let mut byte = [0];
        idle[0].set_nonblocking(true).unwrap();
        (&idle[0]).read(&mut byte).is_ok_and(|n| n == 0)
    });
    // All of them may have come between the last count and the look at the first.
    most.set(most.get().max(sockets()));
    assert!((before + 16..=before + 81).contains(&most.get()), "{before} sockets before, {} at most", most.get());
    assert_eq!(get(address, "/healthz").status, 200);
    drop(idle);
    world.drop_file("film.txt", urls("a", 3));
    world.wait_for("select submitted from v_status", 3);
    world.stop(daemon);
}

#[test]
fn heads_that_are_too_long_are_refused() {
    let (world, daemon, address) = served("", "");
    let long = "a".repeat(1024 * 1024);
    let many: String = (0..2_000).map(|n| format!("X-{n}: y\r\n")).collect();
    for request in [
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: {long}\r\n\r\n"),
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{many}\r\n"),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        long,
    ] {
        let status = send(address, request.as_bytes()).map(|answer| answer.status);
        assert!(matches!(status, None | Some(400 | 414 | 431)), "{status:?}");
    }
    assert_eq!(get(address, "/healthz").status, 200);
    world.stop(daemon);
}

#[test]
fn a_thousand_connections_that_ask_nothing_keep_no_probe_out() {
    let (world, daemon, address) = served("", "");
    // Each open connection is a file of this process too.
    let mut limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limits.current = limits.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limits).unwrap();
    let mut idle: Vec<TcpStream> = (0..500).map(|_| connect(address)).collect();
    idle.extend((0..500).map(|_| {
        let mut half = connect(address);
        // It may have been dropped already.
        let _ = half.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        half
    }));
    let start = std::time::Instant::now();
    assert_eq!(get(address, "/healthz").status, 200);
    assert!(start.elapsed() < Duration::from_secs(1), "a probe gives up after a second: {:?}", start.elapsed());
    assert_eq!(get(address, "/readyz").status, 200);
    drop(idle);
    world.stop(daemon);
}
