//! TLS in front of a Hub, with an authority of the test's own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// It runs until it is dropped.
#[derive(Debug)]
pub struct TlsFront {
    address: SocketAddr,
    authority: String,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Answers with a certificate for `name`, from an authority called `authority`, and passes on to a port of this machine.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(name: &str, authority: &str, target: u16) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), name, authority, target).await
    }

    /// The same at an address of a network namespace's own.
    ///
    /// # Panics
    /// The address is taken.
    pub async fn start_at(address: SocketAddr, name: &str, authority: &str, target: u16) -> Self {
        let (acceptor, authority) = acceptor(name, authority);
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                running.spawn(async move {
                    // An agent that does not trust the certificate leaves here.
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Self { address, authority, task }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes its authority's certificate, for `SSL_CERT_FILE`: the system's trust store of one process.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn write_authority(&self, path: &Path) {
        std::fs::write(path, &self.authority).expect("a file");
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn acceptor(name: &str, authority: &str) -> (TlsAcceptor, String) {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, authority);
    let key = KeyPair::generate().expect("a key");
    let root = params.self_signed(&key).expect("a root").pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec![name.to_owned()]).expect("a name").signed_by(&key, &issuer).expect("a leaf");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).expect("a chain");
    (TlsAcceptor::from(Arc::new(config)), root)
}
