//! Reads the tokens a Hub gives, and keeps them together with what they are good for.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::answer::plain;
use crate::config::HubUrl;
use crate::secret::{Secret, stored};

/// The longest token (bytes): it travels in a header.
const MAX_TOKEN: usize = 4096;
/// How long an access token is trusted when the Hub does not say; being wrong costs one refresh.
const ASSUMED_LIFETIME: Duration = Duration::from_secs(600);
/// An access token is never trusted for longer than this, whatever the Hub says.
const MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// The right to connect to one Hub. `Debug` shows no token; serialising writes them in clear, which is for the
/// credential store alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The origin of the Hub that gave it. It is never shown to another one.
    pub hub: String,
    /// What the tunnel's upgrade carries.
    #[serde(with = "stored")]
    pub access: Secret,
    /// What the next access token is asked for with; good once.
    #[serde(with = "stored")]
    pub refresh: Secret,
    /// When this machine got the access token, by its wall clock.
    pub issued_at: Timestamp,
    /// When the access token ends, by this machine's wall clock.
    pub expires_at: Timestamp,
    /// The account's name, if the Hub told it.
    #[serde(default)]
    pub account: Option<String>,
    /// When a person signed in, by this machine's wall clock; a renewal leaves it. `None`: an older version kept none.
    #[serde(default)]
    pub signed_in_at: Option<Timestamp>,
}

/// A 200 that holds no usable tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Not the fields of RFC 6749 (5.1).
    #[error("the Hub's answer holds no token")]
    Unreadable(#[source] serde_json::Error),
    /// Another scheme than `Bearer`.
    #[error("the Hub's tokens are not bearer tokens")]
    NotBearer,
    /// A token that fits no header: empty, over 4096 bytes, or with characters other than visible ASCII.
    #[error("the Hub's answer holds a token that fits no header")]
    Unusable,
    /// Nothing to renew the access token with.
    #[error("the Hub gave no refresh token")]
    NoRefresh,
}

impl Credential {
    /// Whether this Hub gave it. A credential of another Hub is as good as none.
    #[must_use]
    pub fn belongs_to(&self, hub: &HubUrl) -> bool {
        self.hub == hub.origin()
    }
}

/// Reads the body of a 200 from the token endpoint of the Hub with this origin. `previous` is the credential that was
/// refreshed, if it was one: a Hub that sends no new refresh token means the old one (RFC 6749, 6).
///
/// # Errors
/// The body holds no usable tokens.
pub fn read(
    origin: &str,
    body: &[u8],
    previous: Option<&Credential>,
    now: Timestamp,
) -> Result<Credential, TokenError> {
    #[derive(Deserialize)]
    struct Raw {
        access_token: String,
        token_type: String,
        expires_in: Option<u64>,
        refresh_token: Option<String>,
        account: Option<serde_json::Value>,
    }
    let raw: Raw = serde_json::from_slice(body).map_err(TokenError::Unreadable)?;
    if !raw.token_type.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::NotBearer);
    }
    let refresh = match raw.refresh_token {
        Some(token) => usable(token)?,
        None => previous.map(|credential| credential.refresh.clone()).ok_or(TokenError::NoRefresh)?,
    };
    let lifetime = raw.expires_in.map_or(ASSUMED_LIFETIME, Duration::from_secs).min(MAX_LIFETIME);
    let account = raw.account.as_ref().and_then(serde_json::Value::as_str).and_then(plain);
    Ok(Credential {
        hub: origin.to_owned(),
        access: usable(raw.access_token)?,
        refresh,
        issued_at: now,
        expires_at: now.saturating_add(lifetime).unwrap_or(Timestamp::MAX),
        account: account.or_else(|| previous.and_then(|credential| credential.account.clone())),
        signed_in_at: previous.map_or(Some(now), |credential| credential.signed_in_at),
    })
}

pub(super) fn usable(token: String) -> Result<Secret, TokenError> {
    let visible = token.bytes().all(|byte| byte.is_ascii_graphic());
    if visible && (1..=MAX_TOKEN).contains(&token.len()) { Ok(Secret::new(token)) } else { Err(TokenError::Unusable) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const HUB: &str = "https://porten.ai";
    const GOOD: &str =
        r#"{"access_token":"acc-hunter2","token_type":"bearer","expires_in":900,"refresh_token":"ref-hunter2"}"#;

    pub(in crate::signin) fn credential(body: &str, at: i64) -> Credential {
        read(HUB, body.as_bytes(), None, Timestamp::from_second(at).unwrap()).unwrap()
    }

    /// Fault E13: a credential is never printed.
    #[test]
    fn a_credential_is_never_printed_and_reads_back_from_its_store() {
        let credential = credential(GOOD, 1_000);
        assert_eq!(credential.expires_at.as_second(), 1_900);
        assert!(!format!("{credential:?} {credential:#?}").contains("hunter2"));
        let stored = serde_json::to_string(&credential).unwrap();
        assert_eq!(serde_json::from_str::<Credential>(&stored).unwrap(), credential);
        let without = stored.replace(",\"account\":null", "");
        assert_eq!(serde_json::from_str::<Credential>(&without).unwrap(), credential);
    }

    #[test]
    fn a_credential_belongs_to_the_hub_that_gave_it() {
        let credential = credential(GOOD, 0);
        assert!(credential.belongs_to(&HubUrl::read("wss://porten.ai:443").unwrap()));
        assert!(!credential.belongs_to(&HubUrl::read("wss://porten.ai:8443").unwrap()));
        assert!(!credential.belongs_to(&HubUrl::read("ws://localhost").unwrap()));
    }

    #[test]
    fn a_hub_that_sends_no_new_refresh_token_means_the_old_one() {
        let old = Credential { account: Some("jane".into()), ..credential(GOOD, 0) };
        let body = br#"{"access_token":"new","token_type":"Bearer","account":7}"#;
        let new = read(HUB, body, Some(&old), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((new.refresh.expose(), new.access.expose()), ("ref-hunter2", "new"));
        assert_eq!(new.account.as_deref(), Some("jane"));
        assert_eq!(new.expires_at.as_second(), 600, "a lifetime that is not said is assumed short");
        assert!(matches!(read(HUB, body, None, Timestamp::UNIX_EPOCH), Err(TokenError::NoRefresh)));
    }

    #[test]
    fn what_is_no_token_is_refused_without_repeating_it() {
        for bad in [
            String::new(),
            "<html>".into(),
            "{}".into(),
            GOOD.replace("bearer", "mac"),
            GOOD.replace("acc-hunter2", ""),
            GOOD.replace("acc-hunter2", "a\\r\\nX-Evil: 1"),
            GOOD.replace("acc-hunter2", "hunter2 two"),
            GOOD.replace("ref-hunter2", "höhö"),
            GOOD.replace("acc-hunter2", &"x".repeat(MAX_TOKEN + 1)),
            GOOD.replace("\"acc-hunter2\"", "3"),
            GOOD.replace("900", "-1"),
        ] {
            let error = read(HUB, bad.as_bytes(), None, Timestamp::UNIX_EPOCH).expect_err(&bad);
            assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn no_lifetime_is_longer_than_a_year() {
        let credential = credential(&GOOD.replace("900", "18446744073709551615"), 0);
        assert_eq!(credential.expires_at.as_second(), 365 * 24 * 3600);
    }
}
