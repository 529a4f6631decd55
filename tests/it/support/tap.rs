//! Something between the program and the sandbox, which keeps what goes through it: plain, behind TLS with a
//! certificate of its own, or as a proxy.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

/// A certification authority that nobody knows.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "a test's own");
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Certificate and key of a server of these names, in PEM.
    pub fn issue(&self, names: &[&str]) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// What a server of these names speaks TLS with.
    pub fn server(&self, names: &[&str], versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let config = config.with_no_client_auth();
        Arc::new(config.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    }
}

/// What stands in between; it works until the test's process ends.
pub struct Tap {
    /// Host and port.
    pub address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Tap {
    /// Passes on to `target`, host and port.
    pub fn plain(target: &str) -> Self {
        let target = target.to_owned();
        Self::new(move |stream, heard| pass(stream, &target, heard))
    }

    /// The same behind TLS.
    pub fn tls(target: &str, config: Arc<ServerConfig>) -> Self {
        let target = target.to_owned();
        Self::new(move |stream, heard| {
            let connection = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
            pass(StreamOwned::new(connection, stream), &target, heard)
        })
    }

    /// A proxy for whoever wants to go anywhere: all get to `target`.
    pub fn proxy(target: &str) -> Self {
        let target = target.to_owned();
        Self::new(move |mut stream, heard| {
            let head = read(&mut stream)?;
            heard.lock().unwrap().push(head);
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
            let mut there = TcpStream::connect(&target)?;
            let (mut back, mut onto) = (there.try_clone()?, stream.try_clone()?);
            std::thread::spawn(move || std::io::copy(&mut back, &mut onto));
            std::io::copy(&mut stream, &mut there).map(drop)
        })
    }

    fn new(serve: impl Fn(TcpStream, &Mutex<Vec<String>>) -> std::io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let (kept, serve) = (Arc::clone(&heard), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (kept, serve) = (Arc::clone(&kept), Arc::clone(&serve));
                // A client that goes away in the middle is no failure of the tap.
                std::thread::spawn(move || serve(stream?, &kept));
            }
        });
        Self { address, heard }
    }

    /// The requests so far, heads and bodies.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn pass(mut stream: impl Read + Write, target: &str, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let request = read(&mut stream)?;
    heard.lock().unwrap().push(request.clone());
    let mut there = TcpStream::connect(target)?;
    there.write_all(request.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    let mut answer = Vec::new();
    // A sandbox that drops the call answers nothing: so does the tap.
    there.read_to_end(&mut answer)?;
    stream.write_all(&answer)?;
    stream.flush()
}

/// A whole request.
fn read(stream: &mut impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 8192];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(text);
            }
        }
        match stream.read(&mut part)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
}
