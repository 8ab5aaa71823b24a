//! The one TLS configuration, for sign-in and for the tunnel: the system's own judgement of certificates, and the name of
//! whoever issued one that it does not trust.

use std::sync::Arc;

use porten_core::display_text::sanitize;
use porten_core::tunnel::Certificate;
use porten_core::wire::MAX_TEXT;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The most of an issuer's name that is shown (characters): it is a stranger's.
const MAX_NAME: usize = 64;

/// TLS could not be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("this system's certificate store cannot be used")]
pub struct TlsError(#[from] Error);

/// Makes ring the process's cryptography; the first line of each `main`. A second call changes nothing.
pub fn install() {
    // An error says that a provider is installed already, which is what we want.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS 1.2 and 1.3, certificates judged by the platform's verifier (the Keychain's trust settings on a Mac). An authority
/// that looks into the traffic is trusted if the system trusts it; there is no list of our own.
///
/// # Errors
/// The platform's certificate store cannot be used.
pub fn client() -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let judge = Naming { system: Verifier::new(Arc::clone(&provider))? };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous() // What the library calls any judge but its own; ours asks the system.
        .with_custom_certificate_verifier(Arc::new(judge))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// What was wrong with a server's certificate.
pub(crate) fn read(why: &CertificateError) -> Certificate {
    use CertificateError as E;
    match why {
        E::Expired | E::ExpiredContext { .. } => Certificate::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => Certificate::NotYet,
        E::NotValidForName | E::NotValidForNameContext { .. } => Certificate::OtherName,
        E::UnknownIssuer => Certificate::Other("its issuer is not trusted on this machine".into()),
        E::Revoked => Certificate::Other("it was revoked".into()),
        E::BadEncoding => Certificate::Other("it does not read".into()),
        E::BadSignature => Certificate::Other("its signature is wrong".into()),
        E::UnsupportedSignatureAlgorithmContext { .. } | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            Certificate::Other("its signature is of a kind that is not safe any more".into())
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            Certificate::Other("it was not issued for a server".into())
        }
        E::Other(other) => match other.0.downcast_ref::<Certificate>() {
            Some(named) => named.clone(),
            None => other_words(&other.to_string()),
        },
        other => other_words(&other.to_string()),
    }
}

/// The library's or the system's words, which may repeat some of the certificate's.
fn other_words(words: &str) -> Certificate {
    Certificate::Other(sanitize(words, MAX_TEXT))
}

/// Judges as the system does; where the system knows no issuer, says whom the certificate names.
#[derive(Debug)]
struct Naming {
    system: Verifier,
}

impl ServerCertVerifier for Naming {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        more: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.system.verify_server_cert(certificate, more, name, ocsp, now).map_err(|error| match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => unknown(certificate, more),
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.supported_verify_schemes()
    }
}

fn unknown(certificate: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Error {
    let why = match issuer(certificate, more) {
        Some(named) => CertificateError::Other(OtherError(Arc::new(named))),
        None => CertificateError::UnknownIssuer,
    };
    Error::InvalidCertificate(why)
}

/// Who vouches for a chain: the issuer of its last certificate, which a person would have to trust.
fn issuer(certificate: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Option<Certificate> {
    let (_, first) = X509Certificate::from_der(certificate).ok()?;
    if more.is_empty() && first.issuer() == first.subject() {
        return Some(Certificate::SelfSigned);
    }
    let last = more.last().map_or(certificate, |last| last);
    let (_, last) = X509Certificate::from_der(last).ok()?;
    let issuer = last.issuer();
    let mut names = issuer.iter_common_name().chain(issuer.iter_organization());
    let name = names.find_map(|name| name.as_str().ok())?;
    // Quotes could pass for the end of the name in the sentence around it.
    let unquoted: String = name.chars().filter(|c| !matches!(c, '“' | '”' | '"')).take(4 * MAX_NAME).collect();
    let plain = sanitize(&unquoted, MAX_NAME);
    (!plain.is_empty()).then_some(Certificate::UnknownIssuer(plain))
}
