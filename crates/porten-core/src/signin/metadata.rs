//! Reads where a Hub's sign-in lives (RFC 8414), and finds out whether it is a Hub at all before anybody signs in.

use serde::Deserialize;
use url::Url;

use super::answer::{self, Answer, Misread};
use super::verification::same_origin;
use crate::config::HubUrl;
use crate::reply::Reply;
use crate::wire::SUBPROTOCOL;

/// Where the metadata is, on the Hub's origin.
pub const PATH: &str = "/.well-known/oauth-authorization-server";
/// What the device grant is called in `grant_types_supported` and in requests.
pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A Hub's sign-in. All addresses are on the Hub's own origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// The Hub, as a token belongs to it.
    pub origin: String,
    /// Where a device asks for its codes.
    pub device_authorization: Url,
    /// Where tokens are given out.
    pub token: Url,
    /// Where they are given back, if the Hub takes them.
    pub revocation: Option<Url>,
}

/// An address that is no Hub for this agent.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// Nobody answered, or not now. The only one worth another try by itself.
    #[error("the Hub at {hub} does not answer; check PORTEN_HUB_URL and the network, or try again later")]
    Lost {
        /// As a person writes it.
        hub: String,
    },
    /// Another server, or a Hub with another protocol.
    #[error("{hub} does not speak Porten's protocol {SUBPROTOCOL} ({why}); check PORTEN_HUB_URL")]
    Foreign {
        /// As a person writes it.
        hub: String,
        /// What gave it away.
        why: Foreign,
    },
    /// A Hub whose sign-in is somewhere else than the Hub: nobody may be sent there.
    #[error("{hub} names {field} outside of its own origin, so signing in there is not safe; ask whoever runs the Hub")]
    Elsewhere {
        /// As a person writes it.
        hub: String,
        /// Which address.
        field: &'static str,
    },
}

/// What gives a foreign server away.
#[derive(Debug, thiserror::Error)]
pub enum Foreign {
    /// Not the answer of a Hub.
    #[error("it answered {0}")]
    Status(u16),
    /// A web page, or other metadata.
    #[error("its answer is no sign-in metadata")]
    Unreadable(#[source] Misread),
    /// No `porten.v1` among its protocols.
    #[error("its metadata does not name it")]
    Protocols,
    /// No device grant.
    #[error("it offers no sign-in for devices")]
    NoDeviceGrant,
}

/// Reads the answer to a request for [`PATH`].
///
/// # Errors
/// The address is no Hub with which this agent may sign in.
pub fn read(hub: &HubUrl, reply: &Reply) -> Result<Metadata, MetadataError> {
    #[derive(Deserialize)]
    struct Raw {
        issuer: String,
        token_endpoint: Option<String>,
        device_authorization_endpoint: Option<String>,
        revocation_endpoint: Option<String>,
        #[serde(default)]
        porten_protocols: Vec<String>,
    }
    let name = || hub.as_str().to_owned();
    let foreign = |why| MetadataError::Foreign { hub: name(), why };
    let body = match answer::read(reply) {
        Answer::Good(body) => body,
        Answer::Again(_) => return Err(MetadataError::Lost { hub: name() }),
        Answer::Refused(_) | Answer::Strange(_) => return Err(foreign(Foreign::Status(status(reply)))),
    };
    let raw: Raw = serde_json::from_slice(body).map_err(|error| foreign(Foreign::Unreadable(error.into())))?;
    if !raw.porten_protocols.iter().any(|protocol| protocol == SUBPROTOCOL) {
        return Err(foreign(Foreign::Protocols));
    }
    let elsewhere = |field| MetadataError::Elsewhere { hub: name(), field };
    if raw.issuer != hub.origin() {
        return Err(elsewhere("an issuer"));
    }
    let own = |text: &str, field| same_origin(hub.origin(), text).ok_or_else(|| elsewhere(field));
    let (Some(device), Some(token)) = (raw.device_authorization_endpoint, raw.token_endpoint) else {
        return Err(foreign(Foreign::NoDeviceGrant));
    };
    let revocation = raw.revocation_endpoint.map(|text| own(&text, "a revocation endpoint")).transpose()?;
    Ok(Metadata {
        origin: hub.origin().to_owned(),
        device_authorization: own(&device, "a device endpoint")?,
        token: own(&token, "a token endpoint")?,
        revocation,
    })
}

const fn status(reply: &Reply) -> u16 {
    match reply {
        Reply::Answer { status, .. } => *status,
        Reply::Lost => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"issuer":"https://porten.ai","token_endpoint":"https://porten.ai/oauth/token",
        "device_authorization_endpoint":"https://porten.ai/oauth/device_authorization","more":1,
        "revocation_endpoint":"https://porten.ai/oauth/revoke","porten_protocols":["porten.v2","porten.v1"]}"#;

    fn hub() -> HubUrl {
        HubUrl::read("wss://porten.ai").unwrap()
    }

    fn refusal(body: &str) -> String {
        read(&hub(), &Reply::answer(200, body)).expect_err(body).to_string()
    }

    #[test]
    fn a_hubs_sign_in_is_found_on_its_own_origin() {
        let found = read(&hub(), &Reply::answer(200, GOOD)).unwrap();
        assert_eq!(found.device_authorization.as_str(), "https://porten.ai/oauth/device_authorization");
        assert_eq!(found.revocation.unwrap().as_str(), "https://porten.ai/oauth/revoke");
        let local = HubUrl::read("ws://127.0.0.1:81").unwrap();
        let body = GOOD.replace("https://porten.ai", "http://127.0.0.1:81");
        assert_eq!(read(&local, &Reply::answer(200, body)).unwrap().origin, "http://127.0.0.1:81");
    }

    #[test]
    fn an_address_outside_of_the_hub_is_refused() {
        for (from, to) in [
            ("\"issuer\":\"https://porten.ai\"", "\"issuer\":\"https://porten.ai/\""),
            ("\"issuer\":\"https://porten.ai\"", "\"issuer\":\"https://evil.example\""),
            ("https://porten.ai/oauth/token", "https://porten.ai.evil.example/oauth/token"),
            ("https://porten.ai/oauth/token", "http://porten.ai/oauth/token"),
            ("https://porten.ai/oauth/device", "https://porten.ai:444/oauth/device"),
            ("https://porten.ai/oauth/revoke", "https://user@porten.ai/oauth/revoke"),
        ] {
            let body = GOOD.replace(from, to);
            assert_ne!(body, GOOD, "{from}");
            assert!(matches!(read(&hub(), &Reply::answer(200, body)), Err(MetadataError::Elsewhere { .. })), "{to}");
        }
    }

    #[test]
    fn a_server_that_is_no_hub_of_ours_is_one_sentence() {
        let mut told = vec![refusal(&GOOD.replace("porten.v1", "porten.v9"))];
        told.push(refusal(&GOOD.replace("device_authorization_endpoint", "x")));
        told.push(refusal("<html>Welcome</html>"));
        told.push(refusal("null"));
        told.push(read(&hub(), &Reply::answer(404, "<html>")).expect_err("404").to_string());
        told.push(read(&hub(), &Reply::answer(503, "")).expect_err("503").to_string());
        told.push(read(&hub(), &Reply::Lost).expect_err("lost").to_string());
        told.push(refusal(&GOOD.replace("https://porten.ai/oauth/token", "javascript:alert(1)")));
        insta::assert_snapshot!(told.join("\n"), @r#"
        wss://porten.ai does not speak Porten's protocol porten.v1 (its metadata does not name it); check PORTEN_HUB_URL
        wss://porten.ai does not speak Porten's protocol porten.v1 (it offers no sign-in for devices); check PORTEN_HUB_URL
        wss://porten.ai does not speak Porten's protocol porten.v1 (its answer is no sign-in metadata); check PORTEN_HUB_URL
        wss://porten.ai does not speak Porten's protocol porten.v1 (its answer is no sign-in metadata); check PORTEN_HUB_URL
        wss://porten.ai does not speak Porten's protocol porten.v1 (it answered 404); check PORTEN_HUB_URL
        the Hub at wss://porten.ai does not answer; check PORTEN_HUB_URL and the network, or try again later
        the Hub at wss://porten.ai does not answer; check PORTEN_HUB_URL and the network, or try again later
        wss://porten.ai names a token endpoint outside of its own origin, so signing in there is not safe; ask whoever runs the Hub
        "#);
    }
}
