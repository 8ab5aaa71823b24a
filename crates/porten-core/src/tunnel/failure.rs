//! Why a link is not there: `Lost` is tried again, `Refused` needs a person. Decided where the answer is read.

use std::time::Duration;

/// Why a connection ended or did not come to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Try again.
    Lost(Lost),
    /// A person must help.
    Refused(Refused),
}

/// A failure that time may mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// No connection: name look-up, routing, nothing listening.
    #[error("the Hub cannot be reached ({0})")]
    Unreachable(String),
    /// The proxy on the way there does not do its part; a whole sentence that names it.
    #[error("{0}")]
    Proxy(String),
    /// The dial took longer than [`super::DIAL_DEADLINE`].
    #[error("the Hub did not answer in time")]
    TimedOut,
    /// The Hub answered that it cannot now.
    #[error("the Hub is busy (HTTP {status})")]
    Busy {
        /// HTTP status.
        status: u16,
        /// What its `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// The link was cut, or its peer fell silent.
    #[error("the connection to the Hub was lost")]
    Cut,
    /// This side closed it: it was drained, or the Hub broke the protocol.
    #[error("this side closed the link")]
    Closed,
    /// The Hub restarts.
    #[error("the Hub is restarting")]
    Restart {
        /// Over which time it wants its nodes to come back; zero if it did not say.
        within: Duration,
    },
    /// The sign-in server could not be asked for a fresh token.
    #[error("the Hub's sign-in cannot be reached ({0})")]
    SignInUnreachable(String),
    /// The credential store failed or did not answer; a keychain may be locked.
    #[error("the sign-in on this machine cannot be read ({0})")]
    Keychain(String),
}

impl Lost {
    /// The least time to wait, where the Hub named one (at most an hour is believed).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => retry_after.map(|wait| wait.min(LONGEST_ASKED)),
            _ => None,
        }
    }

    /// Over which time the Hub wants its nodes to come back, if it said so (two minutes at most are believed).
    #[must_use]
    pub fn within(&self) -> Option<Duration> {
        match self {
            Self::Restart { within } if !within.is_zero() => Some((*within).min(LONGEST_SPREAD)),
            _ => None,
        }
    }

    /// Whether the wait after it is this side's own guess, which a change on this machine may end.
    pub(super) fn is_ours_to_end(&self) -> bool {
        self.retry_after().is_none() && self.within().is_none()
    }
}

/// The longest `Retry-After` that is believed.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// The longest time to come back over that is believed.
const LONGEST_SPREAD: Duration = Duration::from_secs(120);

/// A failure that only a person can mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The token was not accepted, also after a refresh.
    #[error("the Hub no longer accepts this sign-in")]
    SignIn,
    /// Someone revoked this node's access at the Hub.
    #[error("this Mac's access was revoked at the Hub")]
    Revoked,
    /// The account may not connect this node.
    #[error("the Hub does not allow this node ({0})")]
    Forbidden(String),
    /// The same node is connected from elsewhere, and the newest wins.
    #[error("this node connected to the Hub from somewhere else")]
    Replaced,
    /// The address answers, but not with this protocol.
    #[error("the server at the Hub's address does not speak Porten's protocol ({0})")]
    NotPorten(String),
    /// The network answers in the Hub's place and sends to a page of its own, at this host if it names one.
    #[error("this network answers in the Hub's place{}", .0.as_ref().map(|host| format!(" and sends to {host}")).unwrap_or_default())]
    CaptivePortal(Option<String>),
    /// The certificate is not acceptable.
    #[error("the Hub's certificate is not acceptable ({0})")]
    Certificate(Certificate),
    /// The proxy on the way there lets nobody through like this; a whole sentence that names it.
    #[error("{0}")]
    Proxy(String),
}

/// What is wrong with a certificate. The names in it are a stranger's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Certificate {
    /// Its time is over, by this machine's clock.
    #[error("it has expired")]
    Expired,
    /// Its time has not begun, by this machine's clock.
    #[error("it is not valid yet")]
    NotYet,
    /// Another server's.
    #[error("it is for another name")]
    OtherName,
    /// Nobody but itself vouches for it.
    #[error("it is self-signed, which this machine does not trust")]
    SelfSigned,
    /// Somebody vouches for it whom this machine does not know: a Hub's own authority, or whoever looks into the traffic.
    #[error("it was issued by “{0}”, which this machine does not trust")]
    UnknownIssuer(String),
    /// Anything else, in words that continue "it".
    #[error("{0}")]
    Other(String),
}

impl Certificate {
    const fn remedy(&self) -> &'static str {
        match self {
            Self::Expired | Self::NotYet => {
                "Check this Mac's date; if it is right, the Hub's owner must renew the certificate"
            }
            Self::OtherName => {
                "Open a browser: this network may want a sign-in before it lets anything through; else check PORTEN_HUB_URL"
            }
            Self::UnknownIssuer(_) => {
                "If your network inspects TLS, add that authority to the system's trust store, or ask whoever runs the network; else ask the Hub's owner"
            }
            Self::SelfSigned | Self::Other(_) => "Check PORTEN_HUB_URL, or ask the Hub's owner",
        }
    }
}

impl Refused {
    /// Whether signing in again is the remedy.
    #[must_use]
    pub const fn needs_sign_in(&self) -> bool {
        matches!(self, Self::SignIn | Self::Revoked)
    }

    /// What a person can do, in one sentence.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::SignIn | Self::Revoked => "Sign in again: porten login",
            Self::Forbidden(_) => "Ask the Hub's owner to allow this node, then: porten login",
            Self::Replaced => "Stop the other agent, or sign in here again: porten login",
            Self::NotPorten(_) => "Check PORTEN_HUB_URL, or ask the Hub's owner to enable porten.v1",
            Self::CaptivePortal(_) => {
                "Open a browser and sign in to this network; Porten comes back by itself within a minute. Without such a page, check PORTEN_HUB_URL"
            }
            Self::Certificate(why) => why.remedy(),
            Self::Proxy(_) => {
                "Put user and password into the proxy's address: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT; or exempt the Hub with NO_PROXY"
            }
        }
    }

    /// Whether this may be a network's sign-in page. What speaks with the Hub's certificate is none.
    pub(super) const fn may_be_a_portal(&self) -> bool {
        matches!(self, Self::CaptivePortal(_) | Self::Certificate(_))
    }

    /// Whether another network may be the remedy: what answered there, a hotel's sign-in page say, need not be the Hub.
    pub(super) const fn depends_on_the_network(&self) -> bool {
        matches!(self, Self::NotPorten(_) | Self::CaptivePortal(_) | Self::Certificate(_) | Self::Proxy(_))
    }
}
