//! TLS and proxies, with a certification authority that the test makes.

use std::fs;
use std::process::Output;

use rustls::version::{TLS12, TLS13};

use crate::support::tap::{Authority, Tap};
use crate::support::{World, said};

/// A name that only the proxy of a test finds.
const ELSEWHERE: &str = "vod.prefetchd.test";

struct Secured {
    world: World,
    tap: Tap,
}

fn secured(versions: &[&'static rustls::SupportedProtocolVersion]) -> Secured {
    let world = World::new("", "");
    let authority = Authority::new();
    fs::write(world.path("ca.pem"), &authority.pem).unwrap();
    let tap = Tap::tls(world.address(), authority.server(&["localhost", "127.0.0.1", ELSEWHERE], versions));
    Secured { world, tap }
}

impl Secured {
    /// Checks with this `[api]` and these variables; nothing of this machine's proxies and certificates counts.
    fn check(&self, api: &str, variables: &[(&str, String)]) -> Output {
        self.world.configure(&format!("[api]\n{api}"));
        let mut command = self.world.command(&["check", "--online"]);
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.envs(variables.iter().map(|(name, value)| (name, value))).output().unwrap()
    }

    fn endpoint(&self) -> String {
        format!("endpoint = \"https://{}\"\n", self.tap.address.replace("127.0.0.1", "localhost"))
    }

    fn ca(&self) -> String {
        self.world.path("ca.pem").display().to_string()
    }
}

#[test]
fn a_private_authority_is_trusted_where_it_is_named_and_nowhere_else() {
    let secured = secured(&[&TLS12, &TLS13]);
    let output = secured.check(&secured.endpoint(), &[]);
    let text = said(&output);
    assert!(output.status.code() == Some(69) && text.contains("certificate"), "{text}");
    assert!(secured.tap.heard().is_empty(), "nothing was said to a stranger");
    let with_ca = format!("{}ca_file = \"{}\"\n", secured.endpoint(), secured.ca());
    let output = secured.check(&with_ca, &[]);
    assert!(output.status.success(), "{}", said(&output));
    let output = secured.check(&secured.endpoint(), &[("SSL_CERT_FILE", secured.ca())]);
    assert!(output.status.success(), "{}", said(&output));
    // A proxy of the environment is not asked for what is on this machine.
    let output = secured.check(&with_ca, &[("HTTPS_PROXY", "http://127.0.0.1:1".to_owned())]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_file_of_certificates_that_holds_none_is_refused_with_its_name() {
    let secured = secured(&[&TLS13]);
    fs::write(secured.world.path("empty.pem"), "").unwrap();
    for (file, part) in [("empty.pem", "no certificate in it"), ("gone.pem", "No such file")] {
        let ca = secured.world.path(file).display().to_string();
        let output = secured.check(&format!("{}ca_file = \"{ca}\"\n", secured.endpoint()), &[]);
        let text = said(&output);
        assert!(output.status.code() == Some(78) && text.contains(part) && text.contains(&ca), "{text}");
    }
}

#[test]
fn both_versions_of_tls_that_are_left_are_spoken_and_calls_are_signed_for_the_host() {
    for version in [&TLS12, &TLS13] {
        let secured = secured(&[version]);
        let ca = format!("{}ca_file = \"{}\"\n", secured.endpoint(), secured.ca());
        for signature in ["v1", "v3"] {
            let output = secured.check(&format!("{ca}signature = \"{signature}\"\n"), &[]);
            assert!(output.status.success(), "{version:?} {signature}: {}", said(&output));
        }
    }
}

#[test]
fn calls_to_other_machines_go_through_the_proxy_that_is_configured_or_in_the_environment() {
    let secured = secured(&[&TLS13]);
    let proxy = Tap::proxy(&secured.tap.address);
    let url = format!("http://{}", proxy.address);
    let away = format!("endpoint = \"https://{ELSEWHERE}\"\nca_file = \"{}\"\n", secured.ca());
    let output = secured.check(&away, &[]);
    assert_eq!(output.status.code(), Some(69), "nobody knows the name: {}", said(&output));
    for signature in ["v1", "v3"] {
        let api = format!("{away}signature = \"{signature}\"\nproxy = \"{url}\"\n");
        let output = secured.check(&api, &[]);
        assert!(output.status.success(), "{}", said(&output));
    }
    let output = secured.check(&away, &[("HTTPS_PROXY", url.clone())]);
    assert!(output.status.success(), "{}", said(&output));
    let asked = proxy.heard();
    let connect = format!("CONNECT {ELSEWHERE}:443 HTTP/1.1");
    assert!(asked.len() >= 3 && asked.iter().all(|head| head.starts_with(&connect)), "{asked:?}");
    let output = secured.check(&away, &[("HTTPS_PROXY", url), ("NO_PROXY", ELSEWHERE.to_owned())]);
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
}

#[test]
fn plain_http_leaves_this_machine_only_where_that_is_allowed() {
    let secured = secured(&[&TLS13]);
    // A proxy for plain HTTP passes the call on as it is.
    let proxy = Tap::plain(secured.world.address());
    let api = format!("endpoint = \"http://{ELSEWHERE}\"\nproxy = \"http://{}\"\n", proxy.address);
    let output = secured.check(&api, &[]);
    assert!(output.status.code() == Some(78) && said(&output).contains("allow_http = true"), "{}", said(&output));
    assert!(proxy.heard().is_empty());
    let output = secured.check(&format!("{api}allow_http = true\n"), &[]);
    assert!(proxy.heard()[0].starts_with(&format!("POST http://{ELSEWHERE}/ HTTP/1.1")), "{:?}", proxy.heard());
    assert!(output.status.code().is_some(), "{}", said(&output));
}
