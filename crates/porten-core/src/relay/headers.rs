//! Which headers travel: both ways they are built anew from constants, so nothing else can slip through.

use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::api_error::ApiError;
use crate::wire::{END_TRAILER, REFUSAL, REQUEST_ID};

/// The longest request id that is carried (bytes).
pub const MAX_REQUEST_ID: usize = 64;
/// The longest `Retry-After` that is passed on (seconds).
pub const MAX_RETRY_AFTER: u32 = 3600;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
/// [`REQUEST_ID`] as a header's name. Like the next two it is made once: a text would be read anew at each use.
pub const REQUEST_ID_NAME: HeaderName = HeaderName::from_static(REQUEST_ID);
/// [`REFUSAL`] as a header's name.
pub const REFUSAL_NAME: HeaderName = HeaderName::from_static(REFUSAL);
/// [`END_TRAILER`] as a trailer's name.
pub const END_NAME: HeaderName = HeaderName::from_static(END_TRAILER);

/// One request's id, the same from the client's answer to the engine's log: `[A-Za-z0-9._-]{1,64}`. It is kept as the
/// header's value that it comes and goes as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The id, if it is sane.
    #[must_use]
    pub fn read(id: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let sane = (1..=MAX_REQUEST_ID).contains(&id.len()) && id.bytes().all(plain);
        if !sane {
            return None;
        }
        // A copy: a received value would hold on to all that was read together with it.
        let mut value = HeaderValue::from_str(id).ok()?;
        // Another text each time: HPACK's table filled with ids, and fifty old ones were compared with each new one.
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// The id that a peer sent, if there is exactly one and it is sane; else the caller makes one.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut ids = headers.get_all(REQUEST_ID_NAME).iter();
        match (ids.next(), ids.next()) {
            (Some(id), None) => Self::read(id.to_str().ok()?),
            _ => None,
        }
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It is plain ASCII.
        self.0.to_str().unwrap_or_default()
    }
}

/// What an engine's answer head promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerShape {
    /// Server-sent events, as asked: `Answer::take`.
    Stream,
    /// One JSON document, from an engine that ignores `stream`: `Answer::take_document`.
    Document,
    /// Anything else: `engine_error::read`.
    Failure,
}

impl AnswerShape {
    /// Reads the head of an engine's answer.
    #[must_use]
    pub fn read(status: u16, headers: &HeaderMap) -> Self {
        match (status, essence(headers)) {
            (200, "text/event-stream") => Self::Stream,
            (200, "application/json") => Self::Document,
            _ => Self::Failure,
        }
    }
}

/// The headers the engine gets. `Host` and `Content-Length` are the HTTP client's.
#[must_use]
pub fn for_engine(id: &RequestId) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ACCEPT, EVENT_STREAM);
    // A compressed event stream holds tokens back.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(REQUEST_ID_NAME, id.0.clone());
    headers
}

/// The headers of an answer that is given: nothing of the engine's own is in it.
#[must_use]
pub fn for_answer(stream: bool, id: &RequestId) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(CONTENT_TYPE, if stream { EVENT_STREAM } else { JSON });
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(REQUEST_ID_NAME, id.0.clone());
    headers
}

/// The headers of an error answer. `refusal` says that the engine produced nothing, so that the Hub may ask elsewhere.
#[must_use]
pub fn for_error(error: &ApiError, refusal: bool, id: &RequestId) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(REQUEST_ID_NAME, id.0.clone());
    if let Some(seconds) = error.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal {
        headers.insert(REFUSAL_NAME, HeaderValue::from_static(error.code));
    }
    headers
}

/// When the engine wants to be asked again (seconds), if it says so in seconds.
#[must_use]
pub fn retry_after(headers: &HeaderMap) -> Option<u32> {
    let digits = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().unwrap_or(MAX_RETRY_AFTER).min(MAX_RETRY_AFTER))
}

/// The media type of a body, without its parameters; empty when there is none.
#[must_use]
pub fn essence(headers: &HeaderMap) -> &str {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> RequestId {
        RequestId::read("req-1").unwrap()
    }

    #[test]
    fn a_request_id_is_carried_only_if_it_is_sane_and_alone() {
        assert_eq!(RequestId::read("a.B_9-").as_ref().map(RequestId::as_str), Some("a.B_9-"));
        for wrong in ["", "a b", "a\r\nx: y", "ä", "a/b", "\0", &"a".repeat(65)] {
            assert_eq!(RequestId::read(wrong), None, "{wrong:?}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(RequestId::of(&headers), None);
        headers.append(REQUEST_ID_NAME, HeaderValue::from_static("one"));
        assert_eq!(RequestId::of(&headers), RequestId::read("one"));
        headers.append(REQUEST_ID_NAME, HeaderValue::from_static("two"));
        assert_eq!(RequestId::of(&headers), None);
    }

    /// Fault B12: the engine gets four headers and no other.
    #[test]
    fn the_engine_gets_four_headers() {
        let headers = for_engine(&id());
        let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "accept", "accept-encoding", "x-request-id"]);
    }

    #[test]
    fn an_error_says_when_to_come_back_and_whether_the_engine_was_silent() {
        let error = ApiError::unavailable(503, "busy", "Full.").retry_after(2);
        let refusal = for_error(&error, true, &id());
        assert_eq!(
            (&refusal["retry-after"], &refusal["porten-refusal"]),
            (&"2".parse().unwrap(), &"busy".parse().unwrap())
        );
        assert!(!for_error(&error, false, &id()).contains_key("porten-refusal"));
    }

    #[test]
    fn an_answers_shape_is_read_from_status_and_type() {
        let read = |status, kind: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]);
            AnswerShape::read(status, &headers)
        };
        assert_eq!(read(200, "text/event-stream; charset=utf-8"), AnswerShape::Stream);
        assert_eq!(read(200, "application/json"), AnswerShape::Document);
        assert_eq!(read(200, "text/html"), AnswerShape::Failure);
        assert_eq!(read(404, "text/event-stream"), AnswerShape::Failure);
        assert_eq!(AnswerShape::read(200, &HeaderMap::new()), AnswerShape::Failure);
    }

    #[test]
    fn only_a_retry_after_in_seconds_is_passed_on() {
        let read =
            |value: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]));
        assert_eq!(
            [read("7"), read("99999999999"), read("-1"), read(""), read("Wed, 21 Oct 2026 07:28:00 GMT")],
            [Some(7), Some(MAX_RETRY_AFTER), None, None, None]
        );
    }

    const HOP_BY_HOP: [&str; 14] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "authorization",
        "cookie",
        "set-cookie",
        "server",
        "host",
    ];

    proptest! {
        /// Fault B11: no line break or NUL is in a header that is sent on, whatever came.
        /// Fault B12: no header that belongs to one connection is sent on, in either direction.
        /// Fault B13: no `authorization`, `cookie`, `host`, `set-cookie` or `server` of one side reaches the other.
        #[test]
        fn no_header_of_a_peer_gets_through(
            names in proptest::collection::vec("[a-z-]{1,20}", 0..8),
            value in proptest::collection::vec(any::<u8>(), 0..80),
            code in 400_u16..600,
        ) {
            let mut received = HeaderMap::new();
            let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            for name in names.iter().map(String::as_str).chain(HOP_BY_HOP).chain([REQUEST_ID, "retry-after"]) {
                received.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.clone());
            }
            let id = RequestId::of(&received).unwrap_or_else(id);
            let mut error = ApiError::unavailable(code, "busy", "x");
            error.retry_after = retry_after(&received);
            for sent in [for_engine(&id), for_answer(true, &id), for_answer(false, &id), for_error(&error, true, &id)] {
                for (name, value) in &sent {
                    prop_assert!(!HOP_BY_HOP.contains(&name.as_str()));
                    prop_assert!(value.as_bytes().iter().all(|byte| (b' '..0x7f).contains(byte)));
                }
                prop_assert_eq!(&sent[REQUEST_ID], id.as_str());
            }
        }
    }
}
