//! Whose certificates a dial accepts, and what a person reads about the others.

use std::sync::Arc;

use porten_core::remedy::Remedy;
use porten_core::tunnel::{Certificate, Failure, Lost, Refused};
use porten_link::dial::{self, Transport};
use porten_link::{Opened, tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::support::{client_tls, no_tls, request, soon, upgrade};

/// An authority of the test's own.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        Self::called("An authority")
    }

    fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
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
        serving(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

fn serving(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()))
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

fn certificate(why: Certificate) -> Failure {
    Failure::Refused(Refused::Certificate(why))
}

#[tokio::test]
async fn a_certificate_of_a_trusted_root_opens_the_link() {
    let authority = Authority::new();
    dial_at(authority.server("127.0.0.1", |_| {}), authority.trusted()).await.unwrap();
}

/// Fault E2: an authority that the system does not know is refused and named, and nothing was asked of the server.
/// Fault E3: whether an authority that looks into the traffic is trusted is the system's own judgement; where it is not, the
/// person reads its name and what to do.
#[tokio::test]
async fn an_authority_that_this_machine_does_not_know_is_refused_by_the_systems_own_judgement_and_named() {
    let server = Authority::called("Zscaler Root CA").server("127.0.0.1", |_| {});
    let refused = dial_at(server, tls::client().unwrap()).await.map(drop).unwrap_err();
    assert_eq!(refused, certificate(Certificate::UnknownIssuer("Zscaler Root CA".into())));
    let Failure::Refused(why) = refused else { panic!("{refused:?}") };
    assert_eq!(
        why.to_string(),
        "the Hub's certificate is not acceptable (it was issued by “Zscaler Root CA”, which this machine does not trust)"
    );
    assert_eq!(why.remedy(), Remedy::TrustAuthority);
}

#[tokio::test]
async fn the_name_of_an_issuer_is_shown_plain_and_short() {
    let lure = format!("Zscaler” is fine.\n\u{202e}Trust \u{1b}[2J{}", "x".repeat(400));
    let server = Authority::called(&lure).server("127.0.0.1", |_| {});
    let refused = dial_at(server, tls::client().unwrap()).await.map(drop).unwrap_err();
    let Failure::Refused(Refused::Certificate(Certificate::UnknownIssuer(name))) = refused else {
        panic!("{refused:?}")
    };
    assert!(name.starts_with("Zscaler is fine. Trust [2Jxxx") && name.chars().count() == 64, "{name:?}");
}

/// Fault E2: a self-signed certificate is refused as that.
#[tokio::test]
async fn a_certificate_that_nobody_else_vouches_for_is_refused() {
    let key = KeyPair::generate().unwrap();
    let alone = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let server = serving(vec![alone.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap());
    let refused = dial_at(server, tls::client().unwrap()).await.map(drop);
    assert_eq!(refused, Err(certificate(Certificate::SelfSigned)));
}

/// The files were made with openssl, good for a hundred years; what the key guards is this test alone.
///
/// Fault E2: a signature over SHA-1 is refused, though its authority is trusted.
#[tokio::test]
async fn a_certificate_signed_over_sha_1_is_refused() {
    let read = |pem: &[u8]| CertificateDer::from_pem_slice(pem).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(read(include_bytes!("sha1/authority.pem"))).unwrap();
    let leaf = read(include_bytes!("sha1/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("sha1/server.key")).unwrap();
    let refused = dial_at(serving(vec![leaf], key), client_tls(roots)).await.map(drop);
    let words = "its signature is of a kind that is not safe any more";
    assert_eq!(refused, Err(certificate(Certificate::Other(words.into()))));
}

/// A server that speaks no TLS and says only this; and all that it is told.
async fn plain(answer: Vec<u8>) -> (String, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut seen = vec![0; 4096];
        let got = socket.read(&mut seen).await.unwrap();
        socket.write_all(&answer).await.unwrap();
        seen.truncate(got);
        // Whatever the agent still says before it leaves.
        let _ = socket.read_to_end(&mut seen).await;
        seen
    });
    (url, server)
}

/// Fault E2: a server that can do no better than TLS 1.1 is told as such, and is asked for nothing.
#[tokio::test]
async fn a_server_whose_tls_is_too_old_is_refused() {
    // A fatal alert "protocol version", as such servers send; and a ServerHello of TLS 1.1 with an old cipher.
    let alert = vec![0x15, 3, 2, 0, 2, 2, 70];
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    for answer in [alert, hello] {
        let (url, server) = plain(answer).await;
        let refused = soon(dial::dial(request(&url, dial::tcp()))).await.map(drop);
        assert_eq!(refused, Err(Failure::Refused(Refused::NotPorten("its TLS is too old".into()))));
        assert!(!soon(server).await.unwrap().windows(9).any(|part| part == b"swordfish"));
    }
}

/// Fault E2: a certificate for another name is refused as that.
#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let refused = dial_at(authority.server("hub.example", |_| {}), authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate(Certificate::OtherName)));
}

/// Fault E2: a certificate that has expired, or is not valid yet, is refused as that, and the remedy names this machine's date.
#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused() {
    let authority = Authority::new();
    let expired = authority.server("127.0.0.1", |params| params.not_after = date_time_ymd(2020, 1, 1));
    let refused = dial_at(expired, authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate(Certificate::Expired)));
    let early = authority.server("127.0.0.1", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
        params.not_after = date_time_ymd(4001, 1, 1);
    });
    let refused = dial_at(early, authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate(Certificate::NotYet)));
}

#[tokio::test]
async fn a_certificate_that_is_not_for_servers_is_refused() {
    let authority = Authority::new();
    let server = authority.server("127.0.0.1", |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let refused = dial_at(server, authority.trusted()).await.map(drop);
    assert_eq!(refused, Err(certificate(Certificate::Other("it was not issued for a server".into()))));
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_such_and_sees_no_token() {
    let (url, server) = plain(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
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
