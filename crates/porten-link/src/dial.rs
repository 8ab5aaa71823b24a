//! Opens a link from the agent's side: socket, TLS, upgrade; and reads what a refusal means.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    AUTHORIZATION, HeaderValue, LOCATION, RETRY_AFTER, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
};
use http::{Response, StatusCode};
use porten_core::secret::Secret;
use porten_core::tunnel::{Failure, Lost, Refused};
use porten_core::wire::SUBPROTOCOL;
use rustls::AlertDescription;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use url::Url;

use crate::opened::{Opened, limits};
use crate::proxy::ProxyTrouble;
use crate::socket::Io;

/// What a person reads about a WebSocket server of another kind.
const OTHER_PROTOCOL: &str = "it accepted a WebSocket, but not porten.v1";

/// The byte stream under a dialled link.
pub type Transport = Box<dyn Io>;
/// What [`Connect`] answers.
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send>>;
/// How a TCP connection to (host, port) is made. Injected, so that a test can stand in for the network.
pub type Connect = Arc<dyn Fn(String, u16) -> Connecting + Send + Sync>;

/// How to reach a Hub.
#[derive(Clone)]
pub struct DialRequest {
    /// `wss://…/v1/node/tunnel`, or `ws://` on loopback (the configuration has checked that).
    pub url: Url,
    /// The access token; goes into one header and nowhere else.
    pub token: Secret,
    /// For `wss`.
    pub tls: Arc<rustls::ClientConfig>,
    /// The way to the network.
    pub connect: Connect,
}

impl fmt::Debug for DialRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialRequest").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// Dials real sockets: every address of the name, the next soon after the one before, with Nagle's algorithm off.
#[must_use]
pub fn tcp() -> Connect {
    Arc::new(|host, port| {
        Box::pin(async move { Ok(Box::new(crate::socket::connect(&host, port).await?) as Transport) })
    })
}

/// Opens a WebSocket to the Hub. The caller bounds the whole with [`porten_core::tunnel::DIAL_DEADLINE`].
///
/// # Errors
/// [`Failure::Lost`] is worth another try, [`Failure::Refused`] needs a person. A 401 is [`Refused::SignIn`]: the caller
/// refreshes the token once before it believes it.
pub async fn dial(request: DialRequest) -> Result<Opened<Transport>, Failure> {
    let transport = reach(&request.url, &request.tls, &request.connect).await?;
    let host = request.url.host_str().unwrap_or_default();
    let (ws, response) = client_async_with_config(upgrade(&request)?, transport, Some(limits()))
        .await
        .map_err(|error| read(error, host))?;
    let agreed = response.headers().get(SEC_WEBSOCKET_PROTOCOL).map(HeaderValue::as_bytes);
    if agreed != Some(SUBPROTOCOL.as_bytes()) {
        return Err(not_porten(OTHER_PROTOCOL));
    }
    // The library does not look at these. None is ever offered: compression would hold tokens back.
    if response.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return Err(not_porten("it turned on a WebSocket extension that was not offered"));
    }
    Ok(Opened::new(ws))
}

fn upgrade(request: &DialRequest) -> Result<http::Request<()>, Failure> {
    let mut upgrade = request.url.as_str().into_client_request().map_err(|_| not_porten("its address is unusable"))?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", request.token.expose()))
        .map_err(|_| Failure::Refused(Refused::SignIn))?;
    bearer.set_sensitive(true);
    upgrade.headers_mut().insert(AUTHORIZATION, bearer);
    upgrade.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(upgrade)
}

/// The byte stream to a Hub's origin, encrypted unless the scheme says otherwise: what tunnel and sign-in run over.
///
/// # Errors
/// As [`dial`].
pub async fn reach(url: &Url, tls: &Arc<rustls::ClientConfig>, connect: &Connect) -> Result<Transport, Failure> {
    let host = url.host_str().unwrap_or_default();
    // URLs keep brackets around IPv6 addresses; sockets and certificates do not.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let socket = connect(host.clone(), port).await.map_err(|error| unreachable(&error))?;
    if matches!(url.scheme(), "ws" | "http") {
        return Ok(socket);
    }
    let name = ServerName::try_from(host).map_err(|_| not_porten("its name cannot have a certificate"))?;
    let stream = TlsConnector::from(Arc::clone(tls)).connect(name, socket).await.map_err(|error| untrusted(&error))?;
    Ok(Box::new(stream))
}

fn unreachable(error: &io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ProxyTrouble>()) {
        Some(trouble) => trouble.failure(),
        None => Failure::Lost(Lost::Unreachable(crate::socket::words(error))),
    }
}

/// rustls reports through `io::Error`; what matters is whether the certificate was judged and found wanting.
fn untrusted(error: &io::Error) -> Failure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(why)) => Failure::Refused(Refused::Certificate(crate::tls::read(why))),
        Some(rustls::Error::InvalidMessage(_)) => not_porten("it does not speak TLS"),
        Some(rustls::Error::PeerIncompatible(_) | rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)) => {
            not_porten("its TLS is too old")
        }
        _ => interrupted(error),
    }
}

/// An error on a connection that stood already.
fn interrupted(error: &io::Error) -> Failure {
    use io::ErrorKind as K;
    match error.kind() {
        K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe | K::UnexpectedEof => Failure::Lost(Lost::Cut),
        _ => unreachable(error),
    }
}

fn not_porten(why: impl Into<String>) -> Failure {
    Failure::Refused(Refused::NotPorten(why.into()))
}

/// What an attempt at this host ended with.
fn read(error: WsError, host: &str) -> Failure {
    match error {
        WsError::Http(response) => read_refusal(&response, host),
        WsError::Io(error) => interrupted(&error),
        WsError::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => not_porten(OTHER_PROTOCOL),
        WsError::Protocol(ProtocolError::HandshakeIncomplete) => Failure::Lost(Lost::Cut),
        WsError::ConnectionClosed | WsError::AlreadyClosed => Failure::Lost(Lost::Cut),
        _ => not_porten("its answer is no WebSocket upgrade"),
    }
}

/// Redirects are never followed: the token was made for one origin. One to another host is what a network does that wants
/// a sign-in first (RFC 6585, 6 calls it 511).
fn read_refusal(response: &Response<Option<Vec<u8>>>, host: &str) -> Failure {
    let status = response.status();
    match status {
        StatusCode::NETWORK_AUTHENTICATION_REQUIRED => Failure::Refused(Refused::CaptivePortal(None)),
        _ if status.is_redirection() => match other_host(response, host) {
            Some(other) => Failure::Refused(Refused::CaptivePortal(Some(other))),
            None => not_porten(format!("HTTP {}", status.as_u16())),
        },
        StatusCode::UNAUTHORIZED => Failure::Refused(Refused::SignIn),
        StatusCode::FORBIDDEN => Failure::Refused(Refused::Forbidden("HTTP 403".into())),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => busy(response),
        _ if status.is_server_error() => busy(response),
        _ => not_porten(format!("HTTP {}", status.as_u16())),
    }
}

/// The host that a redirect names, if it is another one and reads as a host.
fn other_host(response: &Response<Option<Vec<u8>>>, host: &str) -> Option<String> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let other = Url::parse(location).ok()?.host_str()?.to_owned();
    (other != host).then_some(other)
}

fn busy(response: &Response<Option<Vec<u8>>>) -> Failure {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Failure::Lost(Lost::Busy { status: response.status().as_u16(), retry_after: seconds.map(Duration::from_secs) })
}
