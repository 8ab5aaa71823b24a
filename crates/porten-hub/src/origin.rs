//! Knows under which address people and agents reach this Hub.

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};
use url::{Host, Url};

/// A public address that cannot be one; each message is one whole sentence.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OriginError {
    /// Not an address.
    #[error("--public-url {0:?} is no address: write it like https://hub.example.net")]
    NotAUrl(String),
    /// More than scheme, host and port.
    #[error("--public-url {0:?} has more than a scheme, a host and a port: write it like https://hub.example.net")]
    NotAnOrigin(String),
    /// Agents would refuse it.
    #[error("--public-url {0:?} is not https: agents go to http only on this machine; put a TLS proxy in front")]
    NotHttps(String),
}

/// The Hub's own address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    url: String,
    /// No public address was given, so any of this machine's own names is as good.
    is_local: bool,
}

impl Origin {
    /// Reads a `--public-url`.
    ///
    /// # Errors
    /// One sentence for the person who wrote it.
    pub fn read(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::NotAUrl(text.to_owned()))?;
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => return Err(OriginError::NotAUrl(text.to_owned())),
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
            return Err(OriginError::NotHttps(text.to_owned()));
        }
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !is_bare || !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::NotAnOrigin(text.to_owned()));
        }
        Ok(Self { url: url.origin().ascii_serialization(), is_local: false })
    }

    /// The address of a Hub that was given none: where it listens.
    #[must_use]
    pub fn listening(at: SocketAddr) -> Self {
        Self { url: format!("http://{at}"), is_local: true }
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether browsers come by TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// The cookie's name; the prefix makes browsers insist on Secure, Path=/ and no Domain.
    pub(crate) fn cookie_name(&self) -> &'static str {
        if self.is_https() { "__Host-porten_visit" } else { "porten_visit" }
    }

    /// The address as the one who asks wrote it, if it is a name of this machine and no public address was given:
    /// an agent told `localhost` must find `localhost` in the metadata.
    pub(crate) fn seen_by(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let own = host.filter(|_| self.is_local).and_then(|host| Self::read(&format!("http://{host}")).ok());
        own.map_or_else(|| self.url.clone(), |own| own.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::HOST, header::HeaderValue::from_static(host))])
    }

    #[test]
    fn a_public_address_is_https_and_nothing_but_an_origin() {
        assert_eq!(Origin::read("https://hub.example.net/").unwrap().url(), "https://hub.example.net");
        assert_eq!(Origin::read("http://127.0.0.1:8787").unwrap().url(), "http://127.0.0.1:8787");
        for wrong in ["hub", "http://hub.example.net", "ftp://localhost", "https://a/b", "https://u@a", "https://a?b"] {
            let said = Origin::read(wrong).unwrap_err().to_string();
            assert!(said.contains(wrong) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn a_local_hub_answers_under_the_name_it_was_called_by() {
        let local = Origin::listening("127.0.0.1:8787".parse().unwrap());
        assert_eq!(local.seen_by(&headers("localhost:8787")), "http://localhost:8787");
        assert_eq!(local.seen_by(&headers("[::1]:8787")), "http://[::1]:8787");
        for strange in ["evil.example.net", "localhost@evil", "localhost/x", "evil\u{7f}", ""] {
            let headers =
                HeaderMap::from_iter(header::HeaderValue::from_str(strange).ok().map(|value| (header::HOST, value)));
            assert_eq!(local.seen_by(&headers), "http://127.0.0.1:8787", "{strange:?}");
        }
    }

    #[test]
    fn a_public_hub_does_not_care_what_it_is_called() {
        let public = Origin::read("https://hub.example.net").unwrap();
        assert_eq!(public.seen_by(&headers("localhost:8787")), "https://hub.example.net");
        assert_eq!(public.cookie_name(), "__Host-porten_visit");
    }
}
