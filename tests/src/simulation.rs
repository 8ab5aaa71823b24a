//! A link's life without sockets: the agent's real sessions, relay and tunnel machine, over pipes in memory, under whatever
//! weather and by whatever clock the test keeps.

mod agent;
mod client;
mod engine;
mod hub;
mod network;

pub use agent::Driver;
pub use client::{Fate, ask};
pub use engine::Engine;
pub use hub::Hub;
pub use network::Network;

/// What a chunk of an answer says.
#[must_use]
pub fn chunk(number: u64, index: u32) -> String {
    format!("{number}.{index} ")
}

/// What a whole answer says.
#[must_use]
pub fn text(number: u64, chunks: u32) -> String {
    (0..chunks).map(|index| chunk(number, index)).collect()
}

/// How many chunks the answer to this request has.
#[must_use]
pub const fn chunks(number: u64) -> u32 {
    // Small numbers are what they say.
    (number % 9) as u32 + 1
}
