//! Counts what each Mac would hold, and compares it with what its GPU may use.

use super::facts::{Facts, part};
use super::split::{Split, split_layers};
use super::verdict::{Doubt, Share, Verdict};
use crate::exo::Sharding;

/// What a Mac needs beside weights and cache (6.5 GiB): 5.5 GiB for activations and 1 GiB at the least for what the engine
/// keeps around, the conservative rule of Darkbloom's provider. Nothing here was measured.
pub const OVERHEAD_BYTES: u64 = 13 * 512 * 1024 * 1024;

/// A context that is offered in place of the one asked for is a multiple of this (tokens) …
const CONTEXT_STEP: u64 = 1_024;
/// … and at least this; below it nobody is served.
const SHORTEST_CONTEXT: u64 = 4_096;

/// A model, and what one wants of it.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// What is known of its family; `None`: nothing, and then nothing is claimed.
    pub facts: Option<&'a Facts>,
    /// Bytes of the weights, as the card says; 0: nobody knows, and then nothing is claimed.
    pub weights_bytes: u64,
    /// Layers, as the card says.
    pub layers: u32,
    /// Tokens of each sequence. Whether the model was made for so many ([`Facts::native_context`]) is not looked at.
    pub context: u64,
    /// Sequences at once.
    pub sequences: u32,
    /// What each Mac needs beside that (bytes); [`OVERHEAD_BYTES`] unless one knows better.
    pub overhead_bytes: u64,
}

/// A Mac, as far as memory goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// How a person knows it.
    pub name: String,
    /// What its GPU may use (bytes), of which [`crate::memory::ASSUMED_WIRED_PERCENT`] is a guess.
    pub usable_bytes: u64,
    /// What is free now (bytes): exo deals out a pipeline's layers by it.
    pub free_bytes: u64,
}

/// Whether it fits when exo divides it: layers by free memory, slices equal.
#[must_use]
pub fn plan(ask: &Ask<'_>, rooms: &[Room], sharding: Sharding) -> Verdict {
    if let Err(doubt) = known(ask, rooms) {
        return Verdict::Unknown { why: doubt };
    }
    let split = match sharding {
        Sharding::Tensor => Ok(Split::Tensor),
        Sharding::Pipeline => {
            let free: Vec<u64> = rooms.iter().map(|room| room.free_bytes).collect();
            split_layers(ask.layers, &free).map(Split::Pipeline)
        }
    };
    match split {
        Ok(split) => check(ask, rooms, &split),
        Err(why) => Verdict::NotDivisible { why },
    }
}

/// Whether it fits when it is divided so, which is how exo's own placements are looked at.
#[must_use]
pub fn check(ask: &Ask<'_>, rooms: &[Room], split: &Split) -> Verdict {
    let facts = match known(ask, rooms) {
        Ok(facts) => facts,
        Err(doubt) => return Verdict::Unknown { why: doubt },
    };
    match split {
        Split::Tensor => {
            if let Err(why) = facts.divides_by(count(rooms)) {
                return Verdict::NotDivisible { why };
            }
        }
        Split::Pipeline(layers) => {
            let all: u64 = layers.iter().copied().map(u64::from).sum();
            if layers.len() != rooms.len() || all != u64::from(ask.layers) {
                return Verdict::Unknown { why: Doubt::Split };
            }
        }
    }
    let with = |context| shares(ask, facts, rooms, split, context);
    let per_mac = with(ask.context);
    if all_fit(&per_mac) {
        return Verdict::Fits { per_mac };
    }
    match longest(ask.context, |context| all_fit(&with(context))) {
        Some(context) => Verdict::FitsWithLess { context, per_mac: with(context) },
        None => Verdict::Missing { per_mac },
    }
}

/// The weights and cache that Macs with so much usable memory can hold together (in any one unit, overhead not yet taken off): by
/// tensor all slices are equal, so the smallest Mac decides.
#[must_use]
pub fn schedulable(usable: &[u64], sharding: Sharding) -> u64 {
    match sharding {
        Sharding::Pipeline => usable.iter().copied().fold(0, u64::saturating_add),
        Sharding::Tensor => {
            let macs = u64::try_from(usable.len()).unwrap_or(u64::MAX);
            usable.iter().min().map_or(0, |smallest| smallest.saturating_mul(macs))
        }
    }
}

fn known<'a>(ask: &Ask<'a>, rooms: &[Room]) -> Result<&'a Facts, Doubt> {
    let facts = ask.facts.ok_or(Doubt::Architecture)?;
    if !facts.has_layers(ask.layers) {
        return Err(Doubt::Layers { name: facts.name.clone(), known: facts.layers, card: ask.layers });
    }
    match ask.weights_bytes {
        0 => Err(Doubt::Weights),
        _ if rooms.is_empty() => Err(Doubt::NoMac),
        _ => Ok(facts),
    }
}

/// What each Mac would hold with sequences of so many tokens. A pipeline's cache is dealt out by layers as if all were
/// alike; where they are not, a Mac may be off by the cache of one layer.
fn shares(ask: &Ask<'_>, facts: &Facts, rooms: &[Room], split: &Split, context: u64) -> Vec<Share> {
    let macs = count(rooms);
    let cache = match split {
        Split::Pipeline(_) => facts.cache_bytes(context, ask.sequences),
        Split::Tensor => facts.cache_bytes_by_tensor(context, ask.sequences, macs),
    };
    let share = |(mac, room): (usize, &Room)| {
        let (weights_bytes, cache_bytes) = match split {
            Split::Pipeline(layers) => {
                let layers = layers.get(mac).copied().unwrap_or(0);
                (part(ask.weights_bytes, layers, ask.layers), part(cache, layers, ask.layers))
            }
            Split::Tensor => (part(ask.weights_bytes, 1, macs), cache),
        };
        Share::new(room, weights_bytes, cache_bytes, ask.overhead_bytes)
    };
    rooms.iter().enumerate().map(share).collect()
}

fn all_fit(per_mac: &[Share]) -> bool {
    per_mac.iter().all(|share| share.missing_bytes == 0)
}

/// The longest context below the one asked for that fits, if any worth having does. More tokens never need less.
fn longest(asked: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let steps = |tokens: u64| tokens / CONTEXT_STEP;
    let (mut good, mut bad) = (steps(SHORTEST_CONTEXT), asked.div_ceil(CONTEXT_STEP));
    if good >= bad || !fits(good * CONTEXT_STEP) {
        return None;
    }
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle * CONTEXT_STEP) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    Some(good * CONTEXT_STEP)
}

fn count(rooms: &[Room]) -> u32 {
    u32::try_from(rooms.len()).unwrap_or(u32::MAX)
}
