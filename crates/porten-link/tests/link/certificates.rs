//! Whose certificates a dial accepts, and what a person reads about the others.

use std::sync::Arc;

use porten_core::tunnel::{Failure, Lost, Refused};
use porten_link::dial::{self, Transport};
use porten_link::{Opened, tls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{client_tls, no_tls, request, soon, upgrade};

/// An authority of the test's own.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    fn trusted(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        client_tls(roots)
    }

    /// A server with a certificate for this name, changed at will.
    fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Dials `wss://` on real sockets at a Hub with this certificate.
async fn dial_at(server: TlsAcceptor, tls: Arc<ClientConfig>) -> Result<Opened<Transport>, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/v1/node/tunnel", listener.local_addr().unwrap());
    let hub = async move {
        let (socket, _) = listener.accept().await.unwrap();
        if let Ok(mut socket) = server.accept(socket).await {
            upgrade(&mut socket).await;
            // Until the agent leaves.
            let _ = socket.read(&mut [0; 1]).await;
        }
    };
    let hub = tokio::spawn(hub);
    let asked = dial::DialRequest { tls, ..request(&url, dial::tcp()) };
    let answer = soon(dial::dial(asked)).await;
    if answer.is_err() {
        soon(hub).await.unwrap_or_else(|_| panic!("the Hub was asked to upgrade by an agent that refused"));
    }
    answer
}

fn certificate(why: &str) -> Failure {
    Failure::Refused(Refused::Certificate(why.into()))
}

#[tokio::test]
async fn a_certificate_of_a_trusted_root_opens_the_link() {
    let authority = Authority::new();
    dial_at(authority.server("127.0.0.1", |_| {}), authority.trusted()).await.unwrap();
}

#[tokio::test]
async fn an_authority_that_this_machine_does_not_know_is_refused_by_the_systems_own_judgement() {
    let server = Authority::new().server("127.0.0.1", |_| {});
    let refused = dial_at(server, tls::client().unwrap()).await.map(drop);
    assert_eq!(refused, Err(certificate("its issuer is not trusted on this machine")));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let refused = dial_at(authority.server("hub.example", |_| {}), authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate("it is for another name")));
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let authority = Authority::new();
    let expired = authority.server("127.0.0.1", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let refused = dial_at(expired, authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate("it has expired")));
    let early = authority.server("127.0.0.1", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
        params.not_after = date_time_ymd(4001, 1, 1);
    });
    let refused = dial_at(early, authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate("it is not valid yet")));
}

#[tokio::test]
async fn a_certificate_that_is_not_for_servers_is_refused() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let refused = dial_at(server, authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate("it was not issued for a server")));
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_such_and_sees_no_token() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = vec![0; 4096];
        let got = socket.read(&mut seen).await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        seen.truncate(got);
        seen
    });
    let refused = soon(dial::dial(request(&url, dial::tcp()))).await.map(drop);
    assert_eq!(refused, Err(Failure::Refused(Refused::NotPorten("it does not speak TLS".into()))));
    let seen = soon(server).await.unwrap();
    assert!(!seen.windows(9).any(|part| part == b"swordfish"));
}

#[tokio::test]
async fn a_server_that_hangs_up_during_tls_is_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { drop(listener.accept().await.unwrap()) });
    let asked = dial::DialRequest { tls: no_tls(), ..request(&url, dial::tcp()) };
    assert_eq!(soon(dial::dial(asked)).await.map(drop), Err(Failure::Lost(Lost::Cut)));
    soon(server).await.unwrap();
}
