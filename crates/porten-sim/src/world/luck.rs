//! Chance: ids and ports. The same seed gives the same.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// exo takes ports for its runners from here.
const EPHEMERAL_PORTS: std::ops::Range<u16> = 49_153..65_535;

/// A source of ids.
#[derive(Debug)]
pub(crate) struct Luck(StdRng);

impl Luck {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// A node's id: 16 random bytes in hexadecimal, new at each start.
    pub(crate) fn node(&mut self) -> String {
        format!("{:032x}", self.0.random::<u128>())
    }

    /// A random UUID.
    pub(crate) fn uuid(&mut self) -> String {
        // Version 4, variant 1 (RFC 9562 §5.4).
        let bits = self.0.random::<u128>() & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let digits = format!("{bits:032x}");
        let (head, rest) = digits.split_at(8);
        let (second, rest) = rest.split_at(4);
        let (third, rest) = rest.split_at(4);
        let (fourth, last) = rest.split_at(4);
        format!("{head}-{second}-{third}-{fourth}-{last}")
    }

    pub(crate) fn port(&mut self) -> u16 {
        self.0.random_range(EPHEMERAL_PORTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_exos() {
        let mut luck = Luck::new(7);
        let (node, uuid) = (luck.node(), luck.uuid());
        assert!(node.len() == 32 && node.chars().all(|digit| digit.is_ascii_hexdigit()), "{node}");
        assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(uuid[14..15] == *"4" && "89ab".contains(&uuid[19..20]), "{uuid}");
        assert_ne!(uuid, luck.uuid());
    }
}
