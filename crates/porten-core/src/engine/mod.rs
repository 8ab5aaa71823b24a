//! What is known of the engine: whether it answers, what it serves, and which models were proven to generate.

mod health;
mod proof;

pub use health::{DOWN_PROBE_GAP, Effect, Health, Input, Listing, Reach, UP_PROBE_GAP};
pub use proof::{Proof, ProofFailure, Standing};
