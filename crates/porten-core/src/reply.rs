//! What came back from one bounded HTTP request, as the pure readers take it.

use std::fmt;
use std::time::Duration;

/// The end of one HTTP request. The host bounds its time and its size before it hands it in.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// No whole answer: refused, timed out, cut, longer than the limit, or not to be trusted (TLS).
    Lost,
    /// An answer, whatever it says.
    Answer {
        /// HTTP status.
        status: u16,
        /// The whole body.
        body: Vec<u8>,
        /// `Retry-After`, when it was given in seconds.
        retry_after: Option<Duration>,
    },
}

impl Reply {
    /// An answer without `Retry-After`.
    #[must_use]
    pub fn answer(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer { status, body: body.into(), retry_after: None }
    }

    /// What came; empty if nothing did.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        match self {
            Self::Lost => &[],
            Self::Answer { body, .. } => body,
        }
    }
}

impl fmt::Debug for Reply {
    /// Shows no body: it may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("Lost"),
            Self::Answer { status, body, retry_after } => {
                write!(f, "Answer({status}, {} bytes, retry after {retry_after:?})", body.len())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_never_printed() {
        let shown = format!("{:?}", Reply::answer(200, "{\"access_token\":\"hunter2\"}"));
        assert_eq!(shown, "Answer(200, 26 bytes, retry after None)");
    }
}
