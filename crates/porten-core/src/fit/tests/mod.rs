//! The published numbers, the published table, and the laws of the arithmetic.

mod facts;
mod laws;
mod numbers;
mod plan;
mod table;

use super::*;

const GB: u64 = 1_000_000_000;
const GIB: u64 = 1 << 30;

fn facts(id: &str) -> &'static Facts {
    Facts::of(id).unwrap_or_else(|| panic!("{id} is known"))
}

fn ask(id: &str, weights_bytes: u64, context: u64) -> Ask<'static> {
    let facts = facts(id);
    let layers = facts.layers;
    Ask { facts: Some(facts), weights_bytes, layers, context, sequences: 1, overhead_bytes: OVERHEAD_BYTES }
}

/// Macs named mac-1, mac-2, …, all of whose usable memory is free.
fn rooms(usable: &[u64]) -> Vec<Room> {
    let room = |(at, &usable_bytes): (usize, &u64)| Room {
        name: format!("mac-{}", at + 1),
        usable_bytes,
        free_bytes: usable_bytes,
    };
    usable.iter().enumerate().map(room).collect()
}
