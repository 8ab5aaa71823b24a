//! Decides what a node's refusal means: whether another node may do better, and what the client hears if none does.

use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use porten_core::api_error::ApiError;
use porten_core::relay::headers::{REFUSAL_NAME, retry_after};

use super::kind::Kind;
use crate::answer;

/// When to try again if no node is there (seconds): a restarted agent is back by then.
const NO_NODE_RETRY: u32 = 10;
/// When to try again if all are busy (seconds).
const BUSY_RETRY: u32 = 2;

/// When to try again while the Hub stops (seconds): one that restarts is there again by then.
const STOPPING_RETRY: u32 = 5;

/// When to try again while a model is loaded (seconds): large ones take about a minute.
const COLD_RETRY: u32 = 30;

/// Why a node gave no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It said so, in an answer of its own.
    Said {
        status: StatusCode,
        /// Its headers, of which only `content-type` and `retry-after` are used.
        headers: HeaderMap,
        body: Bytes,
    },
    /// It was lost before it began to answer.
    Lost,
}

impl Refusal {
    /// The status, for the log.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Said { status, .. } => status.as_u16(),
            Self::Lost => 502,
        }
    }

    /// Whether the node could not answer on account of its engine. That it is full or leaves, that it was lost with its
    /// whole link, or has put the model away, says nothing about how well it answers.
    pub(crate) fn is_fault(&self) -> bool {
        let Self::Said { status, headers, .. } = self else { return true };
        let code = headers.get(REFUSAL_NAME).map(HeaderValue::as_bytes);
        status.is_server_error() && !matches!(code, Some(b"draining" | b"node_stopped" | b"busy"))
    }

    /// Whether another node may say yes to the same request. What is wrong with the request itself stays wrong.
    pub(crate) fn worth_another(&self) -> bool {
        match self {
            Self::Said { status, .. } => {
                status.is_server_error() || matches!(*status, StatusCode::NOT_FOUND | StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Lost => true,
        }
    }

    /// What the client hears when this was the last word.
    pub(crate) fn answer(self, model: &str) -> Response {
        match self {
            Self::Lost => answer::error(&upstream_cut()),
            // The node dropped the model while the request was on its way: for the client, nobody has it now.
            Self::Said { status: StatusCode::NOT_FOUND, .. } => answer::error(&no_node(model)),
            // It knows how long its answers take; this Hub does not.
            Self::Said { status: StatusCode::TOO_MANY_REQUESTS, headers, .. } => {
                let busy = all_busy(model);
                answer::error(&match retry_after(&headers) {
                    Some(seconds) => busy.retry_after(seconds),
                    None => busy,
                })
            }
            Self::Said { status, headers, body } => {
                let Some(kind) = Kind::of(status, &headers) else { return answer::error(&upstream_unusable()) };
                let mut response = Response::new(body.into());
                *response.status_mut() = status;
                kind.head(&headers, response.headers_mut());
                response
            }
        }
    }
}

/// No connected node can take it.
pub(crate) fn no_node(model: &str) -> ApiError {
    let text = format!("No connected node serves {model:?} now. Try again later.");
    ApiError::unavailable(503, "no_node", text).retry_after(NO_NODE_RETRY)
}

/// A node has it, and had given its memory back: it is being loaded again.
pub(crate) fn cold(model: &str) -> ApiError {
    let text = format!("{model:?} was put to rest and is being loaded again. Try again in a moment.");
    ApiError::unavailable(503, "model_cold", text).retry_after(COLD_RETRY)
}

/// The Hub is about to stop.
pub(crate) fn stopping() -> ApiError {
    let text = "This Hub is about to stop and takes no new requests. Try again in a moment.";
    ApiError::unavailable(503, "hub_stopping", text).retry_after(STOPPING_RETRY)
}

/// All nodes that could are at their cap.
pub(crate) fn all_busy(model: &str) -> ApiError {
    let text = format!("All nodes that serve {model:?} are busy. Try again in a moment.");
    ApiError::new(429, "rate_limit_error", "all_nodes_busy", text).retry_after(BUSY_RETRY)
}

/// The node went away without a whole answer.
pub(crate) fn upstream_cut() -> ApiError {
    ApiError::unavailable(502, "upstream_cut", "The node was lost before its answer was whole. Try again.")
}

/// The node's answer is none that passes on.
pub(crate) fn upstream_unusable() -> ApiError {
    let text = "The node gave an answer that this Hub does not pass on. Whoever runs the node should update it.";
    ApiError::unavailable(502, "upstream_unusable", text)
}

/// The key that the request came with was revoked while it ran.
pub(crate) fn key_ended() -> ApiError {
    let text = "This API key was revoked while the request ran.";
    ApiError::new(401, "invalid_request_error", "key_revoked", text)
}

/// No first byte in time.
pub(crate) fn upstream_timeout() -> ApiError {
    ApiError::unavailable(504, "upstream_timeout", "The node did not begin to answer in time. Try again.")
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    fn said(status: u16) -> Refusal {
        let headers = HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::SET_COOKIE, HeaderValue::from_static("a=b")),
            (header::CONNECTION, HeaderValue::from_static("close")),
        ]);
        Refusal::Said { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from_static(b"{}") }
    }

    #[test]
    fn what_is_wrong_with_the_request_is_not_asked_elsewhere() {
        for status in [400, 413, 415, 422] {
            assert!(!said(status).worth_another(), "{status}");
        }
        for status in [404, 429, 500, 502, 503] {
            assert!(said(status).worth_another(), "{status}");
        }
        assert!(Refusal::Lost.worth_another());
    }

    #[test]
    fn the_last_word_is_in_the_hubs_terms() {
        assert_eq!(said(404).answer("m").status(), 503, "the catalog has it, so it is not unknown");
        assert_eq!(said(429).answer("m").headers()[header::RETRY_AFTER], "2");
        let Refusal::Said { status, mut headers, body } = said(429) else { panic!("it said so") };
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("98"));
        let busy = Refusal::Said { status, headers, body }.answer("m");
        assert_eq!(
            (busy.status(), busy.headers()[header::RETRY_AFTER].as_bytes()),
            (StatusCode::TOO_MANY_REQUESTS, &b"98"[..])
        );
        assert_eq!(Refusal::Lost.answer("m").status(), 502);
        let passed = said(503).answer("m");
        assert_eq!(passed.headers()[header::CONTENT_TYPE], "application/json");
        assert!(!passed.headers().contains_key(header::SET_COOKIE));
        assert!(!passed.headers().contains_key(header::CONNECTION));
    }
}
