//! The engine's address: the only place to which requests are ever forwarded.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::address::{authority, is_loopback, parse};

/// An engine's origin, `http(s)://host[:port]`; clones share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EngineUrl {
    /// With the path `/`.
    url: Arc<Url>,
    /// No slash at the end.
    shown: Arc<str>,
}

/// Text that is no engine's address, as the rest of a sentence. None of them repeats the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineUrlError {
    /// No URL at all.
    #[error("is not a URL; write it like http://localhost:52415")]
    NotAUrl,
    /// Another scheme.
    #[error("must begin with http:// or https://; write it like http://localhost:52415")]
    Scheme,
    /// `user:password@`.
    #[error("holds a user name or a password; leave them out, engines are asked without any")]
    Userinfo,
    /// A path that is not `/v1`, or `?…`, or `#…`.
    #[error("holds more than an address; write only {instead}")]
    Extra {
        /// The same engine, written as it should be.
        instead: String,
    },
    /// `0.0.0.0` or `[::]`.
    #[error("names every interface instead of one engine; write {instead}")]
    Unspecified {
        /// The same port on this machine.
        instead: String,
    },
    /// Another machine, and nobody allowed that.
    #[error(
        "is on another machine, where prompts would travel unguarded; use an engine on localhost, or set PORTEN_ENGINE_ALLOW_REMOTE=true"
    )]
    Remote,
}

impl EngineUrl {
    /// Reads an address as a person writes it. The `/v1` with which OpenAI base URLs end may stand there. Another
    /// machine is taken only with `allow_remote`.
    ///
    /// # Errors
    /// It is no origin of an engine, or one that was not allowed.
    pub fn read(text: &str, allow_remote: bool) -> Result<Self, EngineUrlError> {
        let mut url = parse(text).ok_or(EngineUrlError::NotAUrl)?;
        if text.contains('@') {
            return Err(EngineUrlError::Userinfo);
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EngineUrlError::Scheme);
        }
        let authority = authority(&url).ok_or(EngineUrlError::NotAUrl)?;
        let shown = format!("{}://{authority}", url.scheme());
        if is_unspecified(&url) {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            return Err(EngineUrlError::Unspecified { instead: format!("{}://localhost{port}", url.scheme()) });
        }
        let bare = matches!(url.path(), "" | "/" | "/v1" | "/v1/");
        if !bare || url.query().is_some() || url.fragment().is_some() {
            return Err(EngineUrlError::Extra { instead: shown });
        }
        if !allow_remote && !is_loopback(&url) {
            return Err(EngineUrlError::Remote);
        }
        url.set_path("/");
        Ok(Self { url: Arc::new(url), shown: shown.into() })
    }

    /// A place on this machine where an engine may be.
    #[must_use]
    pub fn localhost(port: u16) -> Option<Self> {
        Self::read(&format!("http://localhost:{port}"), false).ok()
    }

    /// One of its routes; the path is a constant, never what somebody sent.
    #[must_use]
    pub fn at(&self, path: &'static str) -> Url {
        let mut url = Url::clone(&self.url);
        url.set_path(path);
        url
    }

    /// The port, written or not.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.url.port_or_known_default()
    }

    /// What a `Host` header says: the host, and the port if it is not the scheme's own.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.shown.split_once("://").map_or("", |(_, authority)| authority)
    }

    /// Whether it is on this machine, by its spelling.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// As a person writes it, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for EngineUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl TryFrom<String> for EngineUrl {
    type Error = EngineUrlError;

    /// For what this program wrote itself: whether another machine is allowed was decided when it was first read.
    fn try_from(text: String) -> Result<Self, EngineUrlError> {
        Self::read(&text, true)
    }
}

impl From<EngineUrl> for String {
    fn from(engine: EngineUrl) -> Self {
        engine.shown.as_ref().to_owned()
    }
}

fn is_unspecified(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => ip.is_unspecified(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> EngineUrlError {
        EngineUrl::read(text, false).expect_err(text)
    }

    #[test]
    fn the_base_url_of_an_openai_client_is_understood() {
        for text in
            ["http://localhost:8000", "http://localhost:8000/", "http://localhost:8000/v1", "http://LOCALHOST:8000/v1/"]
        {
            let engine = EngineUrl::read(text, false).expect(text);
            assert_eq!(engine.as_str(), "http://localhost:8000");
            assert_eq!(engine.at("/v1/models").as_str(), "http://localhost:8000/v1/models");
            assert_eq!((engine.authority(), engine.port()), ("localhost:8000", Some(8000)));
        }
        let six = EngineUrl::read("https://[::1]", false).unwrap();
        assert_eq!((six.authority(), six.at("/").scheme()), ("[::1]", "https"));
        assert_eq!(EngineUrl::localhost(80).map(String::from).as_deref(), Some("http://localhost"));
        assert_eq!(EngineUrl::read("https://[::1]", false).ok().and_then(|e| e.port()), Some(443));
    }

    /// Fault C8: another machine is taken only when that was allowed.
    #[test]
    fn another_machine_is_only_taken_when_allowed() {
        for text in ["http://10.0.0.2:52415", "http://localhost.evil", "http://studio.local:8000", "https://h"] {
            assert_eq!(refusal(text), EngineUrlError::Remote, "{text}");
            assert!(!EngineUrl::read(text, true).expect(text).is_loopback());
        }
    }

    /// Fault C8: every interface, a user name, a path or another scheme is refused in one sentence.
    #[test]
    fn what_names_no_single_engine_is_refused_even_when_remote_is_allowed() {
        for text in ["http://0.0.0.0:52415", "http://[::]:52415", "http://0:52415/v1"] {
            let instead = "http://localhost:52415".into();
            assert_eq!(EngineUrl::read(text, true), Err(EngineUrlError::Unspecified { instead }), "{text}");
        }
        for text in
            ["http://h/v1/chat/completions", "http://h/V1", "http://h/v1//", "http://h?", "http://h/v1#", "http://h/a"]
        {
            assert_eq!(
                EngineUrl::read(text, true),
                Err(EngineUrlError::Extra { instead: "http://h".into() }),
                "{text}"
            );
        }
        for text in ["http://me:hunter2@localhost", "http://localhost@evil.example", "http://@localhost"] {
            assert_eq!(EngineUrl::read(text, true), Err(EngineUrlError::Userinfo), "{text}");
            assert!(!refusal(text).to_string().contains("hunter2"));
        }
        for text in [
            "localhost:8000",
            "8000",
            "http:localhost",
            "http://",
            "http://a b",
            "http:\\\\localhost",
            "file://localhost/x",
            "",
        ] {
            assert_eq!(refusal(text), EngineUrlError::NotAUrl, "{text:?}");
        }
        for text in ["ws://localhost", "unix://localhost/x"] {
            assert_eq!(refusal(text), EngineUrlError::Scheme, "{text}");
        }
    }
}
