//! Links that have fallen back to something slower.

use super::super::member::Member;
use crate::trouble::Way;

#[derive(Debug)]
struct Fallen {
    /// The names of the Macs, which outlive their node ids.
    pair: [String; 2],
    way: Way,
}

impl Fallen {
    fn joins(&self, one: &str, other: &str) -> bool {
        let [first, second] = &self.pair;
        (first == one && second == other) || (first == other && second == one)
    }
}

/// What is left of links.
#[derive(Debug, Default)]
pub(in super::super) struct Wires(Vec<Fallen>);

impl Wires {
    /// The one way that is left between two Macs; nothing if all are there.
    pub(in super::super) fn between(&self, one: &Member, other: &Member) -> Option<Way> {
        self.0.iter().find(|fallen| fallen.joins(&one.mac.name, &other.mac.name)).map(|fallen| fallen.way)
    }

    /// Whether a Mac has an address in a private network.
    pub(in super::super) fn has_vpn(&self, member: &Member) -> bool {
        self.0.iter().any(|fallen| fallen.way == Way::Vpn && fallen.pair.contains(&member.mac.name))
    }

    pub(super) fn fall_back(&mut self, pair: [String; 2], way: Way) {
        self.restore(&pair);
        self.0.push(Fallen { pair, way });
    }

    pub(super) fn restore(&mut self, [one, other]: &[String; 2]) {
        self.0.retain(|fallen| !fallen.joins(one, other));
    }
}
