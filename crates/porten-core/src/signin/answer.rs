//! Reads what every endpoint of a sign-in answers with when it does not give: an OAuth error, or nothing of use.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use crate::reply::Reply;

/// The longest text of a Hub's that is shown to a person (characters).
const MAX_TEXT: usize = 200;
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
    let code = plain(&error)?;
    Some(OAuthError { code, description: error_description.as_deref().and_then(plain) })
}

/// A Hub's text, fit for a terminal: one line, short, nothing unseen. `None` if nothing is left.
pub(super) fn plain(text: &str) -> Option<String> {
    let seen = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let text: String =
        text.chars().map(|c| if c == '\n' { ' ' } else { c }).filter(|&c| seen(c)).take(MAX_TEXT).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
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
        for nothing in ["", "<html>", "null", "[]", r#"{"error":{"message":"x"}}"#, r#"{"error":""}"#] {
            assert_eq!(read(&Reply::answer(404, nothing)), Answer::Strange(404), "{nothing}");
        }
        assert_eq!(read(&Reply::answer(302, body)), Answer::Strange(302), "a redirect is not followed");
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
