//! Decides whether a request from the Hub may reach the engine at all: exact constants only, never the received string.

use std::sync::Arc;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, Method};

use super::serving::{Served, Serving};
use crate::api_error::ApiError;
use crate::route::Route;
use crate::wire::MAX_BODY;

/// The longest query that is dropped in silence (bytes). No route takes a query, so a longer one is an attack or a bug.
pub const MAX_QUERY: usize = 8 * 1024;
/// What a client is told to wait when every place is taken (seconds). Answers are short, so soon.
pub const BUSY_RETRY: u32 = 2;
/// What a client is told to wait while this node drains (seconds): about as long as a restart takes.
pub const DRAIN_RETRY: u32 = 10;
/// The longest model id that is repeated in an error message (bytes).
const MAX_ECHOED_ID: usize = 200;

/// What admission knows about this node.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What is served.
    pub serving: Arc<Serving>,
    /// Whether this node finishes what it has and takes nothing new.
    pub draining: bool,
    /// Requests running now, without this one.
    pub in_flight: u32,
    /// The most requests at a time.
    pub cap: u32,
}

/// A request head as it was received.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// HTTP/2's `:path`, undecoded, with its query. Scheme and authority are not looked at: they choose nothing.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
}

/// A request that may have its body read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// The route; its constant path is what the engine is asked.
    pub route: Route,
    /// The length the peer announced (bytes), at most [`MAX_BODY`].
    pub length: Option<usize>,
}

/// Whether this request may come in.
///
/// # Errors
/// The refusal to answer with: 404, 405, 414 for the head's line; 503 while draining or full; 400, 413, 415 for the
/// headers.
pub fn admit(facts: &Facts, head: &Head<'_>) -> Result<Admitted, ApiError> {
    let route = admit_route(head.method, head.path)?;
    if facts.draining {
        return Err(draining());
    }
    if facts.in_flight >= facts.cap {
        let text = "This node has as many requests as it can take; ask again in a moment.";
        return Err(ApiError::unavailable(503, "busy", text).retry_after(BUSY_RETRY));
    }
    let length = read_length(head.headers)?;
    if head.headers.get_all(CONTENT_ENCODING).iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(unsupported("Send the request body uncompressed."));
    }
    if !is_json(head.headers) {
        return Err(unsupported("Send the request body as application/json."));
    }
    Ok(Admitted { route, length })
}

/// Whether the model of an admitted request's body is served on its route. An id that is not never reaches the engine:
/// mlx_lm takes an unknown id for a Hugging Face repository and tries to download it.
///
/// # Errors
/// 404 `model_not_found`.
pub fn admit_body<'a>(serving: &'a Serving, route: Route, model: &str) -> Result<&'a Served, ApiError> {
    match serving.find(model) {
        Some(served) if served.routes.contains(&route) => Ok(served),
        Some(_) => {
            let text = format!("This node does not serve that model on {}.", route.path());
            Err(ApiError::new(404, "invalid_request_error", "model_not_found", text))
        }
        None => {
            let text = if may_echo(model) {
                format!("This node does not serve a model \"{model}\".")
            } else {
                "This node does not serve a model of that name.".to_owned()
            };
            Err(ApiError::new(404, "invalid_request_error", "model_not_found", text))
        }
    }
}

/// The refusal while this node finishes its work, also for a request that waits for its turn.
#[must_use]
pub fn draining() -> ApiError {
    let error = ApiError::unavailable(503, "draining", "This node is finishing its work; ask again in a moment.");
    error.retry_after(DRAIN_RETRY)
}

fn admit_route(method: &Method, path_and_query: &str) -> Result<Route, ApiError> {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let Some(route) = Route::read(path) else {
        return Err(ApiError::new(404, "invalid_request_error", "not_found", "This node has no such route."));
    };
    if *method != route.method() {
        let text = format!("Use {} for {}.", route.method(), route.path());
        return Err(ApiError::new(405, "invalid_request_error", "method_not_allowed", text));
    }
    if query.len() > MAX_QUERY {
        let text = format!("{} takes no query.", route.path());
        return Err(ApiError::new(414, "invalid_request_error", "uri_too_long", text));
    }
    Ok(route)
}

fn read_length(headers: &HeaderMap) -> Result<Option<usize>, ApiError> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(ApiError::invalid("bad_length", "Send no Transfer-Encoding."));
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(None) };
    let digits = length.as_bytes();
    if lengths.next().is_some() || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(ApiError::invalid("bad_length", "Send one Content-Length, in digits."));
    }
    // Digits that overflow are as much too large as those that do not.
    let length = length.to_str().ok().and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(usize::MAX);
    if length > MAX_BODY { Err(body_too_large()) } else { Ok(Some(length)) }
}

/// The refusal of a body over [`MAX_BODY`], also for one that turns out so while it is read.
#[must_use]
pub fn body_too_large() -> ApiError {
    let text = format!("The request body is larger than {} MiB.", MAX_BODY / (1024 * 1024));
    ApiError::new(413, "invalid_request_error", "request_too_large", text)
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn unsupported(text: &str) -> ApiError {
    ApiError::new(415, "invalid_request_error", "unsupported_media_type", text)
}

fn may_echo(model: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/:@-".contains(&byte);
    model.len() <= MAX_ECHOED_ID && model.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn facts() -> Facts {
        let served = Served { engine_id: "/Users/ada/models/tiny".into(), routes: vec![Route::ChatCompletions] };
        Facts {
            serving: Arc::new([("tiny".to_owned(), served)].into_iter().collect()),
            draining: false,
            in_flight: 0,
            cap: 8,
        }
    }

    fn json() -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))])
    }

    fn ask(method: &Method, path: &str, headers: &HeaderMap) -> Result<Admitted, (u16, &'static str)> {
        admit(&facts(), &Head { method, path, headers }).map_err(|error| (error.status, error.code))
    }

    /// Fault C3: only the two exact paths are routes.
    #[test]
    fn only_exact_paths_are_routes() {
        for path in [
            "/",
            "",
            "*",
            "/instance/x",
            "/place_instance",
            "/state",
            "/events",
            "/v1/cancel/1",
            "/v1/instance-links/1",
            "/v1/traces/delete",
            "/bench/chat/completions",
            "/ollama/api/chat",
            "/v1/../instance/x",
            "/v1/%2e%2e/instance/x",
            "/v1/chat/completions/..%2f..%2finstance",
            "//v1/chat/completions",
            "/v1//chat/completions",
            "/V1/chat/completions",
            "/v1/chat/completions/",
            "/v1/chat/completions;x",
            "/v1/chat/completions%00",
            "/v1/chat/completions#x",
            "/v1/chat%2fcompletions",
            "\\instance",
            "http://169.254.169.254/v1/chat/completions",
            "http://127.0.0.1:52415/state",
            "/v1/models",
        ] {
            assert_eq!(ask(&Method::POST, path, &json()), Err((404, "not_found")), "{path}");
        }
    }

    /// Fault C4: a route takes its one method, anything else is 405.
    #[test]
    fn a_known_path_takes_its_one_method() {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "CONNECT", "PATCH", "post", "BREW"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let refused = ask(&method, "/v1/chat/completions", &json());
            assert_eq!(refused, Err((405, "method_not_allowed")), "{method}");
        }
    }

    /// Fault C6: a short query is dropped, a long one refused with 414.
    #[test]
    fn a_short_query_is_dropped_and_a_long_one_refused() {
        let route = ask(&Method::POST, "/v1/completions?x=/instance", &json());
        assert_eq!(route, Ok(Admitted { route: Route::Completions, length: None }));
        let long = format!("/v1/completions?{}", "x".repeat(MAX_QUERY + 1));
        assert_eq!(ask(&Method::POST, &long, &json()), Err((414, "uri_too_long")));
    }

    #[test]
    fn a_full_or_draining_node_says_when_to_come_back() {
        let headers = json();
        let head = Head { method: &Method::POST, path: "/v1/completions", headers: &headers };
        let full = admit(&Facts { in_flight: 8, ..facts() }, &head).unwrap_err();
        assert_eq!((full.status, full.code, full.retry_after), (503, "busy", Some(BUSY_RETRY)));
        let draining = admit(&Facts { draining: true, ..facts() }, &head).unwrap_err();
        assert_eq!((draining.status, draining.code, draining.retry_after), (503, "draining", Some(DRAIN_RETRY)));
        assert!(admit(&Facts { in_flight: 7, ..facts() }, &head).is_ok());
    }

    /// Fault B11: two lengths, or one that is none, are refused with 400.
    /// Fault C11: a length over the limit is refused with 413 before a byte.
    #[test]
    fn lengths_are_single_honest_and_bounded() {
        let with = |lengths: &[&'static str]| {
            let mut headers = json();
            for length in lengths {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(length));
            }
            ask(&Method::POST, "/v1/completions", &headers).map(|admitted| admitted.length)
        };
        assert_eq!(with(&["33554432"]), Ok(Some(MAX_BODY)));
        for large in ["33554433", "1000000000000", "99999999999999999999999999"] {
            assert_eq!(with(&[large]), Err((413, "request_too_large")));
        }
        for wrong in [&["1", "1"][..], &["1", "2"], &["-1"], &["+1"], &["1,1"], &["0x10"], &[""], &["1 "]] {
            assert_eq!(with(wrong), Err((400, "bad_length")), "{wrong:?}");
        }
        let mut chunked = json();
        chunked.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        assert_eq!(ask(&Method::POST, "/v1/completions", &chunked), Err((400, "bad_length")));
    }

    /// Fault B14: a compressed body is refused with 415; nothing is ever decompressed.
    #[test]
    fn a_compressed_or_foreign_body_is_refused() {
        for (name, value) in
            [(CONTENT_ENCODING, "gzip"), (CONTENT_ENCODING, "identity, gzip"), (CONTENT_TYPE, "text/plain")]
        {
            let mut headers = json();
            headers.insert(name, HeaderValue::from_static(value));
            let refused = ask(&Method::POST, "/v1/completions", &headers);
            assert_eq!(refused, Err((415, "unsupported_media_type")), "{value}");
        }
        assert_eq!(ask(&Method::POST, "/v1/completions", &HeaderMap::new()), Err((415, "unsupported_media_type")));
        let mut identity = json();
        identity.insert(CONTENT_ENCODING, HeaderValue::from_static("Identity"));
        assert!(ask(&Method::POST, "/v1/completions", &identity).is_ok());
    }

    /// Fault C9: a model is served under its exact id and on its routes only.
    #[test]
    fn a_model_is_served_under_its_hub_id_and_on_its_routes_only() {
        let facts = facts();
        let served = admit_body(&facts.serving, Route::ChatCompletions, "tiny").unwrap();
        assert_eq!(served.engine_id, "/Users/ada/models/tiny");
        let unknown = admit_body(&facts.serving, Route::ChatCompletions, "org/repo").unwrap_err();
        assert_eq!((unknown.status, unknown.code), (404, "model_not_found"));
        for id in ["Tiny", "tiny ", "", "/Users/ada/models/tiny", "tiny\u{0}"] {
            assert!(admit_body(&facts.serving, Route::ChatCompletions, id).is_err(), "{id:?}");
        }
        let elsewhere = admit_body(&facts.serving, Route::Completions, "tiny").unwrap_err();
        assert_eq!(elsewhere.message, "This node does not serve that model on /v1/completions.");
        let rude = admit_body(&facts.serving, Route::ChatCompletions, "a\r\nb").unwrap_err();
        assert!(!rude.message.contains('\r'));
    }

    proptest! {
        /// Fault C3: whatever the path, what travels on is a constant.
        #[test]
        fn whatever_is_sent_only_a_constant_travels_on(path in "(/|v1|chat|completions|[.?%;#\\\\]|2e|\\PC){0,12}") {
            if let Ok(admitted) = ask(&Method::POST, &path, &json()) {
                prop_assert!(Route::ALL.iter().any(|route| route.path() == admitted.route.path()));
                prop_assert_eq!(path.split('?').next(), Some(admitted.route.path()));
            }
        }
    }
}
