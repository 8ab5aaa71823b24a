//! Reads queries as FastAPI does.

use axum::extract::Query;
use serde_json::json;

use crate::invalid::Invalid;

/// Names and values, as often as they come.
pub(crate) type Pairs = Query<Vec<(String, String)>>;

/// A value that must be there.
pub(crate) fn required<'a>(pairs: &'a [(String, String)], name: &str) -> Result<&'a str, Invalid> {
    // A query is no document, so what was sent is null.
    optional(pairs, name).ok_or_else(|| Invalid::missing(json!(["query", name]), &json!(null)))
}

/// A value that may be there; the last counts.
pub(crate) fn optional<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
