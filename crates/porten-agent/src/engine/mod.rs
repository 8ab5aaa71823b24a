//! Talks to the one configured engine: lists, proves, and carries requests; never through a proxy, never redirected.

mod client;
mod connection;
pub mod exo;
mod line;
mod probe;
mod prove;
mod test;

pub use client::{EngineClient, EngineError};
pub use connection::Broken;
pub use line::{EngineAnswer, LineError};
pub use probe::probe;
pub use prove::{PROOF_DEADLINE, prove};
pub use test::test;
