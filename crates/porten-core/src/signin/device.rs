//! Signs a device in: gets a code, shows it, and asks until a person has answered (RFC 8628), under anybody's clock.
//!
//! ```text
//!   Fresh ─ask()─► Asking ─codes─► Waiting ─due─► Polling ─pending, slow_down, trouble─► Waiting
//!                    │                │              │
//!                    └─── no codes ───┴─ out of time ┴─ tokens, denied, expired ─► Ended
//! ```

use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::REQUEST_LIMIT;
use super::answer::{self, Answer, Misread, OAuthError};
use super::form::Form;
use super::metadata::{DEVICE_GRANT, Metadata};
use super::token::{self, Credential, TokenError, usable};
use super::verification::same_origin;
use crate::reply::Reply;
use crate::secret::Secret;
use crate::time::{Moment, Now};

/// The least time between two polls when the Hub names none (RFC 8628, 3.2).
const ASSUMED_INTERVAL: u64 = 5;
/// Nobody is polled more often than this, whatever they say.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// What `slow_down` adds to the interval, for good (RFC 8628, 3.5).
const SLOWER: Duration = Duration::from_secs(5);
/// A Hub in trouble is asked at least this often, unless its own interval is longer.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// No code is waited for longer than this.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);
/// The longest code that a person is asked to type (characters).
const MAX_USER_CODE: usize = 32;

/// What happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// The answer to the last [`Effect::Post`].
    Reply(Reply),
    /// [`Device::deadline`] came; too early does no harm.
    Due,
}

/// What the host does.
#[derive(Debug)]
pub enum Effect {
    /// Send this form and hand the [`Input::Reply`] in; one at a time, each within [`REQUEST_LIMIT`].
    Post {
        /// On the Hub's origin.
        url: Url,
        /// The body.
        form: Form,
    },
    /// Show this to the person.
    Show(Box<Prompt>),
    /// The Hub asked to wait longer: from now on it is asked this far apart. [`slower`] says it.
    Slower(Duration),
    /// Signed in: store it. The machine has ended.
    Done(Credential),
    /// Not signed in. The machine has ended.
    Failed(SignInError),
}

/// What a person needs to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// To be typed on the page: letters, digits and dashes.
    pub user_code: String,
    /// The page, on the Hub's origin.
    pub page: Url,
    /// The page with the code filled in, on the Hub's origin too.
    pub page_with_code: Option<Url>,
    /// How long the code is good.
    pub lasts: Duration,
}

/// Why nobody is signed in. Its `Display` is the sentence for the person.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No answer to the request for a code.
    #[error("the Hub does not answer; check the network and try again")]
    Lost,
    /// The Hub refused in words that no person's answer explains.
    #[error("the Hub did not take the sign-in; try again, and if it stays so ask whoever runs the Hub")]
    Refused(#[source] OAuthError),
    /// The answer of another server.
    #[error("the Hub's sign-in answered {0}, which is not its protocol; check PORTEN_HUB_URL")]
    Strange(u16),
    /// Codes that are none.
    #[error("the Hub's answer holds no code to sign in with; check PORTEN_HUB_URL")]
    Unreadable(#[source] Option<Misread>),
    /// A page outside of the Hub, or one whose address has other characters than visible ASCII.
    #[error(
        "the Hub names a page that is not on its own origin, or not in plain letters, so signing in there is not safe; ask whoever runs the Hub"
    )]
    Elsewhere,
    /// The person said no.
    #[error("the sign-in was refused on the Hub's page; if that was a mistake, sign in again")]
    Denied,
    /// Nobody answered in time.
    #[error("the code has run out before anybody answered; try again")]
    Expired,
    /// Granted, but nothing came of it.
    #[error("the Hub granted the sign-in but gave no usable token; try again")]
    Token(#[source] TokenError),
}

/// One sign-in.
#[derive(Debug)]
pub struct Device {
    metadata: Metadata,
    state: State,
}

#[derive(Debug)]
enum State {
    Fresh,
    Asking { sent: Moment },
    Waiting { codes: Codes, next: Moment },
    Polling { codes: Codes, sent: Moment },
    Ended,
}

#[derive(Debug)]
struct Codes {
    device: Secret,
    interval: Duration,
    expires: Moment,
    /// Polls in a row to which nobody gave an answer.
    failures: u32,
}

impl Codes {
    /// How long to leave the Hub alone now.
    fn wait(&self) -> Duration {
        let doubled = self.interval.saturating_mul(2_u32.saturating_pow(self.failures));
        doubled.min(MAX_BACKOFF).max(self.interval)
    }
}

impl Device {
    /// A sign-in at this Hub.
    #[must_use]
    pub const fn new(metadata: Metadata) -> Self {
        Self { metadata, state: State::Fresh }
    }

    /// Begins: asks for a code. `node` is this machine's stable id, `name` what its owner calls it; the person sees
    /// the name on the Hub's page.
    #[must_use]
    pub fn ask(&mut self, node: &str, name: &str, now: Now) -> Effect {
        self.state = State::Asking { sent: now.mono };
        Effect::Post {
            url: self.metadata.device_authorization.clone(),
            form: Form::new(&[("node", node), ("name", name)]),
        }
    }

    /// When to hand in [`Input::Due`]; `None` once it has ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Fresh | State::Ended => None,
            State::Asking { sent } => Some(*sent + REQUEST_LIMIT),
            State::Waiting { codes, next } => Some(codes.expires.min(*next)),
            // The answer on its way may be the grant.
            State::Polling { codes, sent } => Some(codes.expires.max(*sent + REQUEST_LIMIT)),
        }
    }

    /// Goes on.
    #[must_use]
    pub fn on(&mut self, input: Input, now: Now) -> Vec<Effect> {
        let state = std::mem::replace(&mut self.state, State::Ended);
        let (next, effects) = match (state, input) {
            (State::Asking { .. }, Input::Reply(reply)) => self.codes(&reply, now),
            (State::Polling { codes, .. }, Input::Reply(reply)) => self.polled(codes, &reply, now),
            (State::Asking { sent }, Input::Due) if now.mono.reached(sent + REQUEST_LIMIT) => failed(SignInError::Lost),
            (State::Waiting { codes, next }, Input::Due) => self.due(codes, next, now),
            (State::Polling { codes, sent }, Input::Due)
                if now.mono.reached(codes.expires.max(sent + REQUEST_LIMIT)) =>
            {
                failed(SignInError::Expired)
            }
            // An answer that nobody waits for any more, or a clock that came early.
            (state, Input::Reply(_) | Input::Due) => (state, Vec::new()),
        };
        self.state = next;
        effects
    }

    fn codes(&self, reply: &Reply, now: Now) -> (State, Vec<Effect>) {
        let body = match answer::read(reply) {
            Answer::Good(body) => body,
            Answer::Again(_) => return failed(SignInError::Lost),
            Answer::Refused(error) => return failed(SignInError::Refused(error)),
            Answer::Strange(status) => return failed(SignInError::Strange(status)),
        };
        match read_codes(&self.metadata.origin, body, now.mono) {
            Err(error) => failed(error),
            Ok((codes, prompt)) => {
                let next = now.mono + codes.wait();
                (State::Waiting { codes, next }, vec![Effect::Show(Box::new(prompt))])
            }
        }
    }

    fn due(&self, codes: Codes, next: Moment, now: Now) -> (State, Vec<Effect>) {
        if now.mono.reached(codes.expires) {
            return failed(SignInError::Expired);
        }
        if !now.mono.reached(next) {
            return (State::Waiting { codes, next }, Vec::new());
        }
        let form = Form::new(&[("grant_type", DEVICE_GRANT), ("device_code", codes.device.expose())]);
        let post = Effect::Post { url: self.metadata.token.clone(), form };
        (State::Polling { codes, sent: now.mono }, vec![post])
    }

    fn polled(&self, mut codes: Codes, reply: &Reply, now: Now) -> (State, Vec<Effect>) {
        let (mut wait, mut effects) = (Duration::ZERO, Vec::new());
        match answer::read(reply) {
            Answer::Good(body) => {
                return match token::read(&self.metadata.origin, body, None, now.wall) {
                    Ok(credential) => (State::Ended, vec![Effect::Done(credential)]),
                    Err(error) => failed(SignInError::Token(error)),
                };
            }
            Answer::Refused(error) => match error.code.as_str() {
                "authorization_pending" => codes.failures = 0,
                "slow_down" => {
                    codes.failures = 0;
                    codes.interval = codes.interval.saturating_add(SLOWER);
                    effects.push(Effect::Slower(codes.interval));
                }
                "access_denied" => return failed(SignInError::Denied),
                "expired_token" => return failed(SignInError::Expired),
                _ => return failed(SignInError::Refused(error)),
            },
            // Nobody said no: a Hub in trouble, or something in between, like a proxy. The code's end ends it.
            Answer::Again(retry_after) => {
                codes.failures = codes.failures.saturating_add(1);
                wait = retry_after.unwrap_or_default();
            }
            Answer::Strange(_) => codes.failures = codes.failures.saturating_add(1),
        }
        let next = now.mono + codes.wait().max(wait);
        (State::Waiting { codes, next }, effects)
    }
}

/// What a person reads when the Hub asked to wait longer: one sentence.
#[must_use]
pub fn slower(every: Duration) -> String {
    format!("The Hub asked to wait longer, so your answer is noticed within {} s.", every.as_secs())
}

fn failed(error: SignInError) -> (State, Vec<Effect>) {
    (State::Ended, vec![Effect::Failed(error)])
}

fn read_codes(origin: &str, body: &[u8], now: Moment) -> Result<(Codes, Prompt), SignInError> {
    #[derive(Deserialize)]
    struct Raw {
        device_code: String,
        user_code: String,
        verification_uri: String,
        verification_uri_complete: Option<String>,
        expires_in: u64,
        interval: Option<u64>,
    }
    let raw: Raw = serde_json::from_slice(body).map_err(|error| SignInError::Unreadable(Some(error.into())))?;
    let typed = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !(1..=MAX_USER_CODE).contains(&raw.user_code.len()) || !raw.user_code.chars().all(typed) || raw.expires_in == 0 {
        return Err(SignInError::Unreadable(None));
    }
    let device = usable(raw.device_code).map_err(|_| SignInError::Unreadable(None))?;
    let own = |address: String| same_origin(origin, &address).ok_or(SignInError::Elsewhere);
    let lasts = Duration::from_secs(raw.expires_in).min(MAX_LIFETIME);
    let interval = Duration::from_secs(raw.interval.unwrap_or(ASSUMED_INTERVAL)).max(MIN_INTERVAL);
    let prompt = Prompt {
        user_code: raw.user_code,
        page: own(raw.verification_uri)?,
        page_with_code: raw.verification_uri_complete.map(own).transpose()?,
        lasts,
    };
    Ok((Codes { device, interval, expires: now + lasts, failures: 0 }, prompt))
}

#[cfg(test)]
mod tests;
