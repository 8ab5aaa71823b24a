//! The way to a Hub through an HTTP proxy: which one the environment or the system names, and its `CONNECT` (RFC 9110,
//! 9.3.6). The proxy learns the Hub's name and port and no more: TLS runs through it.

mod exempt;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use porten_core::snapshot::{ProxyOrigin, ProxyView};
use porten_core::tunnel::{Failure, Lost, Refused};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::dial::{Connect, Transport};
use crate::socket::{self, Io};

/// For the proxy's part of a dial: its name, TCP, its own TLS and its answer. Less than the whole dial has
/// ([`porten_core::tunnel::DIAL_DEADLINE`]), so that a person reads whose fault it is.
const DEADLINE: Duration = Duration::from_secs(10);
/// The longest head of an answer (bytes).
const MAX_HEAD: usize = 8 * 1024;
/// The most header lines in it.
const MAX_LINES: usize = 64;

/// The variables that name a proxy for an encrypted connection, as the library that reads the settings goes through them: of each
/// pair the first that is there, and the second pair where that says nothing.
const VARIABLES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]];

/// Stands for any proxy, where the question is whether there would be one.
const ANY: &str = "http://any";

/// Dials as the settings of environment and system say, read anew each time: directly, or through their proxy. What is on
/// this machine is never asked through one. Which one it is, is told before it is asked.
#[must_use]
pub fn by_settings(told: watch::Sender<Option<ProxyView>>) -> Connect {
    Arc::new(move |host, port| {
        let told = told.clone();
        Box::pin(async move {
            let proxy = Proxy::of_settings(&host, port)?;
            let view = proxy.as_ref().map(|proxy| proxy.view(&host, port));
            told.send_if_modified(|last| {
                let differs = *last != view;
                *last = view;
                differs
            });
            match proxy {
                Some(proxy) => {
                    tracing::debug!(%proxy, "dialling through it");
                    proxy.connect(&host, port).await
                }
                None => Ok(Box::new(socket::connect(&host, port).await?) as Transport),
            }
        })
    })
}

/// A proxy, as somebody set it.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    encrypted: bool,
    credentials: Option<HeaderValue>,
}

/// Shows no credentials.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// `host:port`
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The proxy does not do its part. Each names it, and nobody's password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyTrouble {
    /// Nothing in [`DEADLINE`].
    #[error("the proxy {0} did not answer")]
    Silent(String),
    /// No connection to it.
    #[error("the proxy {0} cannot be reached ({1})")]
    Unreachable(String, String),
    /// 407, and its address has no user.
    #[error("the proxy {0} asks for a user and a password")]
    Asks(String),
    /// 407, though its address has a user.
    #[error("the proxy {0} does not accept the user and the password in its address")]
    Declines(String),
    /// Another status.
    #[error("the proxy {0} does not let this machine through to the Hub (HTTP {1})")]
    Status(String, u16),
    /// It is no proxy.
    #[error("what answers at the proxy's address {0} is no HTTP proxy")]
    Garbage(String),
    /// SOCKS.
    #[error("the proxy {0} is none for HTTP, and Porten speaks no other kind")]
    OtherKind(String),
}

impl ProxyTrouble {
    /// Whether time may mend it.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Asks(_) | Self::Declines(_) | Self::OtherKind(_) => {
                Failure::Refused(Refused::Proxy(self.to_string()))
            }
            Self::Silent(_) | Self::Unreachable(..) | Self::Status(..) | Self::Garbage(_) => {
                Failure::Lost(Lost::Proxy(self.to_string()))
            }
        }
    }
}

impl From<ProxyTrouble> for io::Error {
    fn from(trouble: ProxyTrouble) -> Self {
        Self::other(trouble)
    }
}

impl Proxy {
    /// The proxy that environment (`HTTPS_PROXY`, `ALL_PROXY`, but for `NO_PROXY`; in either case) or else system name for
    /// an encrypted connection to this host.
    ///
    /// # Errors
    /// They name one of a kind that is not spoken.
    pub fn of_settings(host: &str, port: u16) -> io::Result<Option<Self>> {
        Self::of(&Matcher::from_system(), &exempt::of_system().unwrap_or_default(), host, port)
    }

    fn of(settings: &Matcher, exempt: &str, host: &str, port: u16) -> io::Result<Option<Self>> {
        if is_here(host) {
            return Ok(None);
        }
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let Ok(hub) = Uri::builder().scheme("https").authority(authority).path_and_query("/").build() else {
            return Ok(None);
        };
        // Asked for a proxy of its own, what exempts the host has none.
        if Matcher::builder().all(ANY).no(exempt).build().intercept(&hub).is_none() {
            return Ok(None);
        }
        settings.intercept(&hub).map(|found| Self::read(&found)).transpose()
    }

    fn read(found: &Intercept) -> io::Result<Self> {
        let uri = found.uri();
        let encrypted = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(ProxyTrouble::OtherKind(uri.host().unwrap_or_default().to_owned()).into()),
        };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        Ok(Self { host, port, encrypted, credentials: found.basic_auth().cloned() })
    }

    /// As people see it: who named it for this host too.
    fn view(&self, host: &str, port: u16) -> ProxyView {
        let of_environment = Self::of(&Matcher::from_env(), "", host, port).ok().flatten();
        let same = of_environment.is_some_and(|proxy| proxy.to_string() == self.to_string());
        let name = variable(|name| std::env::var(name).ok()).filter(|_| same);
        let origin = name.map_or(ProxyOrigin::System, |name| ProxyOrigin::Environment(name.to_owned()));
        ProxyView { address: self.to_string(), origin }
    }

    /// A connection to the host through this proxy.
    ///
    /// # Errors
    /// It holds a [`ProxyTrouble`].
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<Transport> {
        self.bounded(self.ask(host, port)).await
    }

    async fn bounded(&self, ask: impl Future<Output = Result<Transport, ProxyTrouble>>) -> io::Result<Transport> {
        match tokio::time::timeout(DEADLINE, ask).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(ProxyTrouble::Silent(self.to_string()).into()),
        }
    }

    async fn ask(&self, host: &str, port: u16) -> Result<Transport, ProxyTrouble> {
        let proxy = self.reach().await.map_err(|error| self.unreachable(&error))?;
        self.ask_over(proxy, host, port).await
    }

    async fn ask_over(&self, mut proxy: Transport, host: &str, port: u16) -> Result<Transport, ProxyTrouble> {
        proxy.write_all(&self.request(host, port)).await.map_err(|error| self.unreachable(&error))?;
        proxy.flush().await.map_err(|error| self.unreachable(&error))?;
        match read_status(&mut proxy).await {
            Some(200..300) => Ok(proxy),
            Some(407) if self.credentials.is_none() => Err(ProxyTrouble::Asks(self.to_string())),
            Some(407) => Err(ProxyTrouble::Declines(self.to_string())),
            Some(status) => Err(ProxyTrouble::Status(self.to_string(), status)),
            None => Err(ProxyTrouble::Garbage(self.to_string())),
        }
    }

    async fn reach(&self) -> io::Result<Transport> {
        let socket = socket::connect(&self.host, self.port).await?;
        if !self.encrypted {
            return Ok(Box::new(socket));
        }
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let tls = crate::tls::client().map_err(io::Error::other)?;
        Ok(Box::new(TlsConnector::from(tls).connect(name, socket).await?))
    }

    fn unreachable(&self, error: &io::Error) -> ProxyTrouble {
        ProxyTrouble::Unreachable(self.to_string(), socket::words(error))
    }

    fn request(&self, host: &str, port: u16) -> Vec<u8> {
        let to = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(credentials) = &self.credentials {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(credentials.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }
}

/// The status in the head of an answer, if there is one. Nothing beyond the head is taken: the Hub does not speak first.
async fn read_status(proxy: &mut (impl Io + ?Sized)) -> Option<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return None;
        }
        head.push(proxy.read_u8().await.ok()?);
    }
    let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
    let mut answer = httparse::Response::new(&mut lines);
    answer.parse(&head).ok().filter(httparse::Status::is_complete)?;
    answer.code
}

/// The variable that names the environment's proxy.
fn variable(set: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    VARIABLES.into_iter().find_map(|pair| {
        let (name, value) = pair.into_iter().find_map(|name| Some((name, set(name)?)))?;
        (!value.is_empty()).then_some(name)
    })
}

/// Whether it is this machine, by its spelling alone.
fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests;
