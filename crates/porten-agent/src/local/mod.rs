//! The local socket: the same picture and the same commands for front ends in other processes (HTTP + JSON, curl-able).

mod attach;
mod client;
mod server;

pub use attach::attach;
pub use client::{Lines, Local, LocalError};
pub use server::{ServeError, serve};

/// Names the protocol in each answer; grows when an old front end could no longer read it.
pub const PROTOCOL_HEADER: &str = "porten-local";
/// The protocol's version.
pub const PROTOCOL: &str = "1";
/// Header with the agent's version.
pub const VERSION_HEADER: &str = "porten-version";

pub(crate) const SNAPSHOT: &str = "/v1/snapshot";
pub(crate) const WATCH: &str = "/v1/watch";
/// Like [`WATCH`], by somebody who looks at the screen now: what changes by the second is then asked for more often.
pub(crate) const LOOK: &str = "/v1/look";
pub(crate) const COMMAND: &str = "/v1/command";
/// No command is longer (bytes).
pub(crate) const MAX_COMMAND: usize = 16 * 1024;
