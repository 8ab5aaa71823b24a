//! Decides when an access token must be renewed, and what the Hub's answer to that means.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::answer::{self, Answer};
use super::token::{self, Credential, TokenError};
use crate::reply::Reply;
use crate::time::{Moment, Now};

/// A token is renewed this long before it ends, so that it does not end on its way.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Of a token's life at most this part is margin, so that a short-lived one is not renewed the moment it comes.
const MARGIN_PART: i32 = 4;
/// The wall clock may have gone back this far since the token came without the token being in doubt.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// What to do with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Its access token is good. Decide again at `until`, and whenever the machine woke or its clock was set.
    Keep {
        /// On the monotonic clock, as far as the wall clock tells it now.
        until: Moment,
    },
    /// Ask for a new access token before the next use.
    RefreshNow,
}

/// Whether the access token can be used now.
#[must_use]
pub fn decide(credential: &Credential, now: Now) -> Decision {
    let Credential { issued_at, expires_at, .. } = credential;
    let life = expires_at.duration_since(*issued_at);
    let left = expires_at.duration_since(now.wall) - MARGIN.min(life / MARGIN_PART).max(SignedDuration::ZERO);
    let clock_went_back = now.wall.duration_since(*issued_at) < -CLOCK_SLACK;
    match Duration::try_from(left) {
        Ok(left) if !left.is_zero() && !clock_went_back => Decision::Keep { until: now.mono + left },
        _ => Decision::RefreshNow,
    }
}

/// A refresh that brought no new credential.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The grant has ended: delete the credential, a person must sign in again.
    #[error("signed out by the Hub ({reason}); sign in again with `porten login`")]
    SignedOut {
        /// The Hub's reason, cleaned and cut short.
        reason: String,
    },
    /// Nothing is known about the grant: keep the credential and try again.
    #[error("the Hub did not renew the sign-in ({why}); it is tried again")]
    Lost {
        /// What came instead.
        why: Lost,
        /// Not before this, if the Hub named a time.
        retry_after: Option<Duration>,
    },
}

/// What came instead of tokens.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// No answer, or one of a Hub in trouble.
    #[error("it does not answer")]
    NoAnswer,
    /// The answer of another server, perhaps a proxy.
    #[error("it answered {0}")]
    Strange(u16),
    /// A refusal that says nothing about the grant.
    #[error("it refused")]
    Refused(#[source] answer::OAuthError),
    /// A 200 without tokens.
    #[error("its answer holds no usable token")]
    Token(#[source] TokenError),
}

/// Reads the answer to [`super::Form::refresh`]. The new credential must be stored before its access token is used:
/// the old refresh token is no good any more.
///
/// # Errors
/// See [`RefreshError`]: only `invalid_grant` ends a sign-in.
pub fn read(previous: &Credential, reply: &Reply, now: Timestamp) -> Result<Credential, RefreshError> {
    let lost = |why| RefreshError::Lost { why, retry_after: None };
    match answer::read(reply) {
        Answer::Good(body) => {
            token::read(&previous.hub, body, Some(previous), now).map_err(|error| lost(Lost::Token(error)))
        }
        Answer::Refused(error) if error.code == "invalid_grant" => {
            let reason = error.description.unwrap_or_else(|| "it gave no reason".to_owned());
            Err(RefreshError::SignedOut { reason: reason.trim_end_matches('.').to_owned() })
        }
        Answer::Refused(error) => Err(lost(Lost::Refused(error))),
        Answer::Again(retry_after) => Err(RefreshError::Lost { why: Lost::NoAnswer, retry_after }),
        Answer::Strange(status) => Err(lost(Lost::Strange(status))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signin::token::tests::credential;
    use proptest::prelude::*;

    fn good(lifetime: u64) -> Credential {
        let body =
            format!(r#"{{"access_token":"a","token_type":"Bearer","expires_in":{lifetime},"refresh_token":"r"}}"#);
        credential(&body, 10_000)
    }

    fn at(mono: u64, wall: i64) -> Now {
        Now::new(Moment::after_start(Duration::from_secs(mono)), Timestamp::from_second(wall).unwrap())
    }

    fn until(seconds: u64) -> Decision {
        Decision::Keep { until: Moment::after_start(Duration::from_secs(seconds)) }
    }

    #[test]
    fn a_token_is_renewed_a_minute_before_it_ends() {
        assert_eq!(decide(&good(900), at(5, 10_000)), until(5 + 840));
        assert_eq!(decide(&good(900), at(5, 10_839)), until(5 + 1));
        assert_eq!(decide(&good(900), at(5, 10_840)), Decision::RefreshNow);
        assert_eq!(decide(&good(900), at(5, 99_999)), Decision::RefreshNow);
    }

    #[test]
    fn a_short_lived_token_is_used_at_all() {
        assert_eq!(decide(&good(40), at(0, 10_000)), until(30));
        assert_eq!(decide(&good(0), at(0, 10_000)), Decision::RefreshNow);
    }

    /// Fault F7: when a token runs out is read anew from the wall clock at each use: set by a day either way it is renewed at
    /// once, stepped by half a minute it is kept and only its renewal moves.
    #[test]
    fn a_clock_that_is_set_is_read_anew_at_each_use() {
        let token = good(900);
        assert_eq!(decide(&token, at(60, 10_060)), until(840));
        for day in [-86_400, 86_400] {
            assert_eq!(decide(&token, at(61, 10_061 + day)), Decision::RefreshNow, "{day}");
        }
        assert_eq!(decide(&token, at(62, 10_062 + 30)), until(840 - 30));
        assert_eq!(decide(&token, at(62, 10_062 - 30)), until(840 + 30));
        assert_eq!(decide(&token, at(63, 10_063)), until(840), "and set right again");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_a_token_doubtful() {
        assert_eq!(decide(&good(900), at(5, 9_950)), until(5 + 890), "a small correction does not");
        assert_eq!(decide(&good(900), at(5, 10_000 - 86_400)), Decision::RefreshNow);
    }

    #[test]
    fn only_invalid_grant_signs_out() {
        let old = good(900);
        let told = |status, body: &str| read(&old, &Reply::answer(status, body), Timestamp::UNIX_EPOCH);
        let ended = told(400, r#"{"error":"invalid_grant","error_description":"This sign-in has ended."}"#);
        let sentence = "signed out by the Hub (This sign-in has ended); sign in again with `porten login`";
        assert_eq!(ended.unwrap_err().to_string(), sentence);
        for (status, body) in [
            (401, r#"{"error":"invalid_client"}"#),
            (400, "<html>"),
            (404, ""),
            (302, ""),
            (500, r#"{"error":"invalid_grant"}"#),
            (429, ""),
            (200, "<html>login to this Wi-Fi</html>"),
            (200, "{}"),
        ] {
            assert!(matches!(told(status, body), Err(RefreshError::Lost { .. })), "{status} {body}");
        }
        assert!(matches!(read(&old, &Reply::Lost, Timestamp::UNIX_EPOCH), Err(RefreshError::Lost { .. })));
    }

    #[test]
    fn a_hub_that_names_a_time_is_given_it() {
        let busy = Reply::Answer { status: 503, body: Vec::new(), retry_after: Some(Duration::from_secs(7)) };
        let told = read(&good(900), &busy, Timestamp::UNIX_EPOCH);
        assert!(matches!(told, Err(RefreshError::Lost { retry_after: Some(wait), .. }) if wait.as_secs() == 7));
    }

    proptest! {
        #[test]
        fn a_token_that_is_kept_is_not_past_its_end(lifetime in 0u64..1 << 40, wall in 0i64..1 << 33) {
            let credential = good(lifetime);
            if let Decision::Keep { until } = decide(&credential, at(7, wall)) {
                let waits = until.since(Moment::after_start(Duration::from_secs(7))).as_secs();
                prop_assert!(wall + i64::try_from(waits).unwrap() <= credential.expires_at.as_second());
            }
        }
    }
}
