//! The one TLS configuration, for sign-in and for the tunnel: the system's own judgement of certificates.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// TLS could not be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("this system's certificate store cannot be used")]
pub struct TlsError(#[from] rustls::Error);

/// Makes ring the process's cryptography; the first line of each `main`. A second call changes nothing.
pub fn install() {
    // An error says that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS 1.2 and 1.3, certificates judged by the platform's verifier (the Keychain's trust settings on a Mac).
///
/// # Errors
/// The platform's certificate store cannot be used.
pub fn client() -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    Ok(Arc::new(config))
}
