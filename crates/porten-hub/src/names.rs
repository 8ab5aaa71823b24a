//! The names of headers that are not everybody's, made once: a text would be read anew at each use.

use axum::http::HeaderName;
use porten_core::wire;

/// See [`wire::REQUEST_ID`].
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static(wire::REQUEST_ID);
/// See [`wire::END_TRAILER`].
pub(crate) const END: HeaderName = HeaderName::from_static(wire::END_TRAILER);
/// Asks proxies in front of a Hub to send each token on at once.
pub(crate) const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// See [`wire::REFUSAL`].
pub(crate) const REFUSAL: HeaderName = HeaderName::from_static(wire::REFUSAL);
