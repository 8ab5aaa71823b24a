//! An exo cluster made of software: Macs that are not there, answering as exo's recorded answers say.
//!
//! ```text
//! client ─► routes (thin) ─► Sim ─► World (pure: placement, lives, downloads, requests, /state)
//!  troubles ─────────────────┘ └── the clock, and the bell for streams that wait
//! ```

mod chat;
mod documents;
mod invalid;
pub mod macs;
mod requests;
mod routes;
mod serve;
mod sim;
mod switch;
pub mod trouble;
mod world;

pub use serve::{Config, Named, Running, StartError, start};
