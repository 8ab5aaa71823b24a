//! The Hub's address: one origin, from which the tunnel's and the sign-in's addresses follow.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::address::{authority, is_loopback, parse};
use crate::wire::TUNNEL_PATH;

/// The Hub that is used when nobody names one.
pub const DEFAULT_HUB: &str = "wss://porten.ai";

/// A Hub's origin. Encrypted, unless the Hub is on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HubUrl {
    /// `wss://host[:port]/v1/node/tunnel`, or `ws:`.
    tunnel: Url,
    /// `https://host[:port]`, or `http:`; no slash at the end.
    origin: String,
    /// `wss://host[:port]`, or `ws:`; no slash at the end.
    shown: String,
}

/// Text that is no Hub's address, as the rest of a sentence. None of them repeats the text: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubUrlError {
    /// No URL at all.
    #[error("is not a URL; write it like wss://porten.ai")]
    NotAUrl,
    /// Another scheme.
    #[error("must begin with wss://; write it like wss://porten.ai")]
    Scheme,
    /// The address of the Hub's web page.
    #[error("must begin with {}://, since the tunnel is a WebSocket; write {instead}", scheme_of(instead))]
    Web {
        /// The same Hub, written as it should be.
        instead: String,
    },
    /// `ws:` to another machine.
    #[error("would send everything unencrypted, and ws:// is only for a Hub on this machine; write {instead}")]
    Plain {
        /// The same Hub, written as it should be.
        instead: String,
    },
    /// `user:password@`.
    #[error("holds a user name or a password; leave them out and sign in with `porten login`")]
    Userinfo,
    /// `?…` or `#…`.
    #[error("holds more than an address; write only {instead}")]
    Extra {
        /// The same Hub, written as it should be.
        instead: String,
    },
}

impl HubUrl {
    /// Reads an address as a person writes it.
    ///
    /// # Errors
    /// It is no origin of a Hub, or one to which tokens would travel in clear.
    pub fn read(text: &str) -> Result<Self, HubUrlError> {
        let url = parse(text).ok_or(HubUrlError::NotAUrl)?;
        if text.contains('@') {
            return Err(HubUrlError::Userinfo);
        }
        let local = is_loopback(&url);
        let authority = authority(&url).ok_or(HubUrlError::Scheme)?;
        let should_be = |scheme: &str| format!("{scheme}://{authority}");
        match url.scheme() {
            "wss" => {}
            "ws" if local => {}
            "ws" => return Err(HubUrlError::Plain { instead: should_be("wss") }),
            "http" if local => return Err(HubUrlError::Web { instead: should_be("ws") }),
            "https" | "http" => return Err(HubUrlError::Web { instead: should_be("wss") }),
            _ => return Err(HubUrlError::Scheme),
        }
        let shown = should_be(url.scheme());
        if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
            return Err(HubUrlError::Extra { instead: shown });
        }
        let origin = should_be(if url.scheme() == "wss" { "https" } else { "http" });
        let mut tunnel = url;
        tunnel.set_path(TUNNEL_PATH);
        Ok(Self { tunnel, origin, shown })
    }

    /// Where the tunnel is opened.
    #[must_use]
    pub const fn tunnel(&self) -> &Url {
        &self.tunnel
    }

    /// Where people sign in, and what a token belongs to: `https://host[:port]`, on loopback `http:`; no slash at the
    /// end.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What clients of this Hub set as the base address of their OpenAI client.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}/v1", self.origin)
    }

    /// As a person writes it: `wss://host[:port]`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl TryFrom<String> for HubUrl {
    type Error = HubUrlError;

    fn try_from(text: String) -> Result<Self, HubUrlError> {
        Self::read(&text)
    }
}

impl From<HubUrl> for String {
    fn from(hub: HubUrl) -> Self {
        hub.shown
    }
}

fn scheme_of(url: &str) -> &str {
    url.split("://").next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> HubUrlError {
        HubUrl::read(text).expect_err(text)
    }

    #[test]
    fn tunnel_and_sign_in_follow_from_one_origin() {
        let table = [
            (DEFAULT_HUB, "wss://porten.ai", "https://porten.ai", "wss://porten.ai/v1/node/tunnel"),
            ("wss://Porten.AI:443/", "wss://porten.ai", "https://porten.ai", "wss://porten.ai/v1/node/tunnel"),
            ("wss://h:8443", "wss://h:8443", "https://h:8443", "wss://h:8443/v1/node/tunnel"),
            ("ws://localhost:80", "ws://localhost", "http://localhost", "ws://localhost/v1/node/tunnel"),
            ("ws://127.9.9.9:1", "ws://127.9.9.9:1", "http://127.9.9.9:1", "ws://127.9.9.9:1/v1/node/tunnel"),
            ("ws://[::1]:9", "ws://[::1]:9", "http://[::1]:9", "ws://[::1]:9/v1/node/tunnel"),
        ];
        for (text, shown, origin, tunnel) in table {
            let hub = HubUrl::read(text).expect(text);
            assert_eq!((hub.as_str(), hub.origin(), hub.tunnel().as_str()), (shown, origin, tunnel));
        }
    }

    /// Fault E1: `ws://` to any other machine than this one is refused in the settings already.
    #[test]
    fn unencrypted_is_only_for_this_machine_by_its_spelling() {
        for text in [
            "ws://porten.ai",
            "ws://localhost.evil.example",
            "ws://localhost.",
            "ws://10.0.0.1",
            "ws://0.0.0.0",
            "ws://[::]",
            "ws://[::ffff:127.0.0.1]",
            "ws://127.0.0.1.nip.example",
        ] {
            assert!(matches!(refusal(text), HubUrlError::Plain { .. }), "{text}");
        }
    }

    #[test]
    fn a_web_address_is_answered_with_the_line_to_write() {
        let instead = |text: &str| match refusal(text) {
            HubUrlError::Web { instead } => instead,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(instead("https://porten.ai/login"), "wss://porten.ai");
        assert_eq!(instead("http://hub.example:81"), "wss://hub.example:81");
        assert_eq!(instead("http://127.0.0.1:8080"), "ws://127.0.0.1:8080");
    }

    #[test]
    fn anything_but_a_bare_origin_is_refused() {
        for text in ["wss://h/?x", "wss://h?", "wss://h#", "wss://h/api", "wss://h//", "wss://h/.."] {
            // `/..` is `/` by the rules of URLs.
            if text == "wss://h/.." {
                assert_eq!(HubUrl::read(text).expect(text).as_str(), "wss://h");
            } else {
                assert_eq!(refusal(text), HubUrlError::Extra { instead: "wss://h".into() }, "{text}");
            }
        }
        for text in ["wss://me@h", "wss://@h", "wss://a:b@h", "wss://hub@evil.example"] {
            assert_eq!(refusal(text), HubUrlError::Userinfo, "{text}");
        }
        for text in ["porten.ai", "wss:porten.ai", "wss://", "wss:// h", "wss://h\n", "wss:\\\\h", "wss://h:99999", ""]
        {
            assert_eq!(refusal(text), HubUrlError::NotAUrl, "{text:?}");
        }
        for text in ["ftp://h", "file://h/x", "tunnel://h"] {
            assert_eq!(refusal(text), HubUrlError::Scheme, "{text}");
        }
    }

    #[test]
    fn no_sentence_repeats_a_password() {
        assert!(!refusal("wss://u:hunter2@h").to_string().contains("hunter2"));
        assert!(!refusal("wss://h/?token=hunter2").to_string().contains("hunter2"));
        assert!(!refusal("sk-hunter2").to_string().contains("hunter2"));
    }
}
