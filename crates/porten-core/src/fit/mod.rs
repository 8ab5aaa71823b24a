//! Says whether a model fits on Macs, before anything is loaded: weights, cache and overhead against what each GPU may use.
//!
//! ```text
//!  id ──► Facts ─┐
//!                ├─► Ask ─┐
//!  card ─────────┘        ├─► plan ──► split ──► check ──► Verdict ──► one sentence
//!  memory of the Macs ────┘                       ▲
//!  exo's own placement ───────────────────────────┘
//! ```
//!
//! exo itself counts only weights (`placement.py` compares the card's size with free memory, and for tensor only the sum),
//! so a placement that it offers may still not fit. A model that is not in `models.toml` is never said to fit.

mod cache;
mod facts;
mod plan;
mod split;
mod verdict;

pub use cache::{Kind, Term};
pub use facts::{Build, Divides, Facts, FactsError, families, read};
pub use plan::{Ask, OVERHEAD_BYTES, Room, check, plan, schedulable};

pub use crate::exo::Sharding;
pub use split::{Indivisible, Split, split_layers};
pub use verdict::{Doubt, Share, Verdict};

#[cfg(test)]
mod tests;
