//! A small Hub: accounts and sign-in, tunnels to nodes, and an OpenAI-shaped API that places each request on a node.
//!
//! ```text
//! browser ─ /device ──────────► approve ┐
//! agent ─── /oauth/… ─────────► oauth ──┴► store (SQLite, one thread)
//! agent ─── /v1/node/tunnel ──► tunnel ──► nodes ◄── place (pure)
//! client ── /v1/… ────────────► clients ─► relay ─► nodes ─► HTTP/2 in the tunnel
//! ```

mod answer;
mod approve;
mod bearer;
mod body_budget;
mod breaker;
mod capacity;
mod catalog;
mod client_address;
mod clients;
mod clock;
pub mod commands;
mod demand;
mod dev;
mod guesses;
mod hub;
mod keys_in_use;
mod limit;
mod nodes;
mod oauth;
mod open_files;
mod origin;
mod page;
mod passphrase;
mod place;
mod quota;
mod relay;
mod routes;
mod secret;
mod serve;
mod stall;
mod store;
mod strangers;
mod token_bucket;
mod traffic;
mod tunnel;
mod visits;

pub use capacity::Capacity;
pub use catalog::{Catalog, CatalogError, TINY};
pub use client_address::{NoNetwork, TrustedProxies, TrustedProxy};
pub use dev::{Seeded, seed};
pub use hub::Timing;
pub use open_files::raise as raise_open_files;
pub use origin::{Origin, OriginError};
pub use passphrase::PassphraseError;
pub use serve::{Config, Running, StartError, start};
pub use store::{Store, StoreError};
