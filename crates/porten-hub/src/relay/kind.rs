//! Decides which answers of a node pass on to a client, and with which head: documented statuses with JSON or events, and
//! headers that the Hub words itself. What a node says is no reason for a client to act on the Hub's behalf: to follow a
//! redirect, to change the protocol, to take its key for a bad one.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use porten_core::relay::headers::{essence, retry_after};

/// What kind of body an answer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Server-sent events: a cut is told in one more event.
    Events,
    /// One document: a cut is told by breaking the connection off.
    Document,
}

impl Kind {
    /// The kind of an answer that passes; none if it does not (docs/protocol.md, 4.4).
    pub(super) fn of(status: StatusCode, headers: &HeaderMap) -> Option<Self> {
        let kind = essence(headers);
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        match status.as_u16() {
            200 if is("text/event-stream") => Some(Self::Events),
            // What these mean is between a client and the Hub.
            401 | 403 | 407 | 421 | 426 => None,
            200 | 400..=599 if is("application/json") => Some(Self::Document),
            _ => None,
        }
    }

    /// The headers that travel on, so no hop-by-hop header and no credential does.
    pub(super) fn head(self, from: &HeaderMap, to: &mut HeaderMap<HeaderValue>) {
        let name = match self {
            Self::Events => "text/event-stream",
            Self::Document => "application/json",
        };
        to.insert(header::CONTENT_TYPE, HeaderValue::from_static(name));
        if let Some(seconds) = retry_after(from) {
            to.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, kind: &'static str) -> Option<Kind> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Kind::of(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn documented_answers_pass_and_no_others() {
        assert_eq!(of(200, "text/event-stream; charset=utf-8"), Some(Kind::Events));
        for status in [200, 400, 404, 409, 413, 422, 429, 500, 502, 503, 504] {
            assert_eq!(of(status, "application/json"), Some(Kind::Document), "{status}");
        }
        for status in [201, 204, 206, 301, 302, 304, 401, 403, 407, 426, 600, 999] {
            assert_eq!(of(status, "application/json"), None, "{status}");
        }
        for kind in ["text/html", "text/plain", "", "application/json+x", "image/svg+xml"] {
            assert_eq!(of(200, kind), None, "{kind}");
        }
        assert_eq!(of(500, "text/event-stream"), None);
        assert_eq!(Kind::of(StatusCode::OK, &HeaderMap::new()), None);
    }

    #[test]
    fn the_head_is_the_hubs_own() {
        let from = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json; x=y")),
            (header::SET_COOKIE, HeaderValue::from_static("a=b")),
            (header::CONNECTION, HeaderValue::from_static("close")),
            (header::RETRY_AFTER, HeaderValue::from_static("999999999999")),
        ]);
        let mut to = HeaderMap::new();
        Kind::Document.head(&from, &mut to);
        assert_eq!(
            (to.len(), &to[header::CONTENT_TYPE], &to[header::RETRY_AFTER]),
            (2, &HeaderValue::from_static("application/json"), &HeaderValue::from_static("3600"))
        );
    }
}
