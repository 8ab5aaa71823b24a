//! The settings of HTTP/2 on a link, derived in one place, for both ends.
//!
//! The agent dialled, and is the *server*: requests come to it. Three limits depend on each other:
//!
//! - The Hub gives each answer a window of [`ANSWER_WINDOW`]; a client that stops reading fills its own window only.
//! - [`MAX_STREAMS`] such windows must fit the connection's window, or stalled readers starve the healthy ones:
//!   520 × 128 KiB = 65 MiB, far below [`CONNECTION_WINDOW`] = 2³¹−1.
//! - h2 ends the *whole connection* when unread DATA frames under 256 bytes use up a budget: 256−L for a frame of L
//!   bytes. Token chunks are such frames. The most that stands unread in good faith is [`MAX_STREAMS`] windows full of
//!   them, so [`DATA_FRAME_BUDGET`] is what that costs at [`ORDINARY_CHUNK`] bytes a frame. It is no more than that: each
//!   unread frame costs some 240 bytes beside its own, so a peer that fills windows with single bytes would otherwise have this end
//!   hold a hundred times what the windows say. With this budget it is cut off after 267,000 frames, some 60 MiB.
//!
//! Two more of h2's guards count over the *life* of a connection, and a link lives for weeks:
//!
//! - Frames for a stream that was reset and forgotten: 1,024 of them end the connection, one second and 50 streams are
//!   what is remembered by default. A few clients that leave busy streams are enough. Hence [`REMEMBERED_RESETS`],
//!   [`RESET_MEMORY`] and [`MAX_STRAYS`].
//! - Empty DATA frames that end nothing: 100 of them end the connection, and no setting changes it. **Never send an
//!   empty chunk.**

use std::time::Duration;

use bytes::Bytes;
use porten_core::wire::MAX_STREAMS;

use crate::bytes::WsBytes;
use crate::socket::Io;

/// How much of one answer may be on its way to a client that does not read (bytes).
pub const ANSWER_WINDOW: u32 = 128 * 1024;
/// How much of one prompt may be on its way to the agent: a 5 MB prompt at 40 ms round trip then takes 0.2 s (bytes).
pub const PROMPT_WINDOW: u32 = 1024 * 1024;
/// How much of one answer the agent holds that the link has not taken yet (bytes): some twenty tokens, as a model says them
/// in a fifth of a second at its fastest. Beyond it the engine is not read: 520 × 4 KiB = 2 MiB is all that bursts can cost here.
pub const ANSWER_UNSENT: usize = 4 * 1024;
/// The connection's window: the largest there is, so that the streams' own windows are what limits (bytes).
pub const CONNECTION_WINDOW: u32 = (1 << 31) - 1;
/// No event a relay sends is smaller (bytes); the smallest SSE comment is `: keep-alive` and its blank line. Thirty
/// windows may stand full of these.
pub const SMALLEST_CHUNK: usize = 14;
/// What an unread answer's frames have at least on average (bytes): a token's event has some 200.
pub const ORDINARY_CHUNK: usize = 128;
/// h2's budget for unread small DATA frames, see above: 520 × 131,072 ÷ 128 × (256−128) ≈ 6.8 × 10⁷.
pub const DATA_FRAME_BUDGET: usize =
    MAX_STREAMS as usize * (ANSWER_WINDOW as usize / ORDINARY_CHUNK) * (256 - ORDINARY_CHUNK);
/// The largest header list either side takes (bytes).
pub const MAX_HEADER_LIST: u32 = 16 * 1024;
/// Requests reset by the Hub before the agent has looked at them; a client crowd that leaves at once stays below it.
const MAX_PENDING_RESETS: usize = MAX_STREAMS as usize;
/// Streams this end reset whose late frames are still expected: every stream there is, leaving four times over.
const REMEMBERED_RESETS: usize = 4 * MAX_STREAMS as usize;
/// How long frames sent before the peer heard of a reset can be under way: 4 MB in its kernel at 1 Mbit/s.
const RESET_MEMORY: Duration = Duration::from_secs(32);
/// Frames for streams forgotten in spite of this, and other errors of single streams, in a connection's life. Each is
/// answered with a reset of 13 bytes, so a broken peer is cut off before it costs a megabyte.
const MAX_STRAYS: usize = 64 * 1024;

const _: () = assert!(MAX_STREAMS as u64 * ANSWER_WINDOW as u64 <= CONNECTION_WINDOW as u64);
const _: () = assert!(MAX_STREAMS as u64 * PROMPT_WINDOW as u64 <= CONNECTION_WINDOW as u64);

/// The agent's end: serves the requests that come through the link.
///
/// The returned connection must be polled all the time: it also drives pings and control frames.
///
/// # Errors
/// The link ended, or the Hub's first HTTP/2 octets were none.
pub async fn serve<S: Io>(bytes: WsBytes<S>) -> Result<h2::server::Connection<WsBytes<S>, Bytes>, h2::Error> {
    h2::server::Builder::new()
        .initial_window_size(PROMPT_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .max_local_error_reset_streams(Some(MAX_STRAYS))
        .data_frame_budget(DATA_FRAME_BUDGET)
        .max_send_buffer_size(ANSWER_UNSENT)
        .handshake(bytes)
        .await
}

/// A request sender and the connection that carries its requests; poll the connection all the time.
pub type Called<S> = (h2::client::SendRequest<Bytes>, h2::client::Connection<WsBytes<S>>);

/// The Hub's end: sends requests through the link.
///
/// # Errors
/// The link ended.
pub async fn call<S: Io>(bytes: WsBytes<S>) -> Result<Called<S>, h2::Error> {
    call_within(bytes, DATA_FRAME_BUDGET).await
}

/// The same with another budget for unread small DATA frames than [`DATA_FRAME_BUDGET`].
///
/// # Errors
/// The link ended.
pub async fn call_within<S: Io>(bytes: WsBytes<S>, budget: usize) -> Result<Called<S>, h2::Error> {
    h2::client::Builder::new()
        .initial_window_size(ANSWER_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(MAX_STREAMS as usize)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_concurrent_reset_streams(REMEMBERED_RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .max_local_error_reset_streams(Some(MAX_STRAYS))
        .enable_push(false)
        .data_frame_budget(budget)
        .handshake(bytes)
        .await
}
