//! Reads what every endpoint of a sign-in answers with when it does not give: an OAuth error, or nothing of use.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::display_text::sanitize;
use crate::reply::Reply;
use crate::wire::MAX_TEXT;

/// The longest code of a refusal (bytes).
const MAX_CODE: usize = 64;
/// A Hub that asks for a longer wait than this is asked again after it all the same.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// A Hub's refusal (RFC 6749, 5.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Hub refused{}: {code}", described(description.as_ref()))]
pub struct OAuthError {
    /// What a program switches on, e.g. `invalid_grant`.
    pub code: String,
    /// The Hub's sentence for a person, cleaned and cut short.
    pub description: Option<String>,
}

/// A body that does not read: the reader's words, which may repeat some of it, made plain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misread(String);

impl From<serde_json::Error> for Misread {
    fn from(error: serde_json::Error) -> Self {
        Self(sanitize(&error.to_string(), MAX_TEXT))
    }
}

/// What a reply amounts to, before anybody looks into its fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// 200, and this body.
    Good(&'a [u8]),
    /// The Hub said no, in OAuth's words.
    Refused(OAuthError),
    /// Nobody said no: ask again, after this long at least if the Hub named a time.
    Again(Option<Duration>),
    /// Something that is not a sign-in: another server, or a page of a proxy.
    Strange(u16),
}

pub(super) fn read(reply: &Reply) -> Answer<'_> {
    let Reply::Answer { status, body, retry_after } = reply else { return Answer::Again(None) };
    match status {
        200 => Answer::Good(body),
        408 | 429 | 500.. => Answer::Again(retry_after.map(|wait| wait.min(MAX_WAIT))),
        400..=499 => read_error(body).map_or(Answer::Strange(*status), Answer::Refused),
        _ => Answer::Strange(*status),
    }
}

fn read_error(body: &[u8]) -> Option<OAuthError> {
    #[derive(Deserialize)]
    struct Body {
        error: String,
        error_description: Option<String>,
    }
    let Body { error, error_description } = serde_json::from_slice(body).ok()?;
    // Programs switch on it, so it is taken as it is or not at all.
    let is_code = (1..=MAX_CODE).contains(&error.len()) && error.bytes().all(|byte| byte.is_ascii_graphic());
    is_code.then(|| OAuthError { code: error, description: error_description.as_deref().and_then(plain) })
}

/// A Hub's text as it is shown: one short plain line. `None` if nothing is left.
pub(super) fn plain(text: &str) -> Option<String> {
    Some(sanitize(text, MAX_TEXT)).filter(|text| !text.is_empty())
}

fn described(description: Option<&String>) -> impl fmt::Display {
    description.map_or_else(String::new, |text| format!(" ({text})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_oauth_error_is_a_refusal() {
        let refused = |status, body: &str| match read(&Reply::answer(status, body)) {
            Answer::Refused(error) => Some((error.code, error.description)),
            _ => None,
        };
        let body = r#"{"error":"invalid_grant","error_description":"It\u001b[2J has\nended."}"#;
        assert_eq!(refused(400, body), Some(("invalid_grant".into(), Some("It[2J has ended.".into()))));
        assert_eq!(refused(401, r#"{"error":"invalid_client"}"#), Some(("invalid_client".into(), None)));
        for nothing in [
            "",
            "<html>",
            "null",
            "[]",
            r#"{"error":{"message":"x"}}"#,
            r#"{"error":""}"#,
            r#"{"error":"invalid\u200b_grant"}"#,
        ] {
            assert_eq!(read(&Reply::answer(404, nothing)), Answer::Strange(404), "{nothing}");
        }
        assert_eq!(read(&Reply::answer(302, body)), Answer::Strange(302), "a redirect is not followed");
    }

    #[test]
    fn what_a_reader_says_of_a_body_is_plain_and_short() {
        let body = format!("\"\\u001b[2J\\r\\n{}\"", "x".repeat(60_000));
        let said = Misread::from(serde_json::from_str::<u64>(&body).unwrap_err()).to_string();
        assert!(said.contains("[2J") && said.chars().count() <= MAX_TEXT && !said.contains(char::is_control), "{said}");
    }

    #[test]
    fn a_hub_in_trouble_is_asked_again_but_never_kept_waiting_for_days() {
        assert_eq!(read(&Reply::Lost), Answer::Again(None));
        let day = Some(Duration::from_secs(86_400));
        let busy = Reply::Answer { status: 503, body: b"{\"error\":\"access_denied\"}".to_vec(), retry_after: day };
        assert_eq!(read(&busy), Answer::Again(Some(MAX_WAIT)), "a 5xx is no answer, whatever it says");
        assert_eq!(read(&Reply::answer(429, "")), Answer::Again(None));
    }
}
