//! Chance that can be had again: the same seed, the same numbers, on every machine and in every version.

/// A source of numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Luck(u64);

impl Luck {
    /// The numbers of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// One of `0..end`; 0 if there is none.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.draw() % end).unwrap_or_default()
    }

    /// True so many times out of a hundred.
    pub fn percent(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    /// One of them.
    ///
    /// # Panics
    /// There is none.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_its_numbers() {
        let mut luck = Luck::new(7);
        let drawn = [luck.draw(), luck.draw()];
        assert_eq!(drawn, [Luck::new(7).draw(), drawn[1]]);
        assert_ne!(drawn[0], drawn[1]);
        let spread: std::collections::BTreeSet<_> = (0..200).map(|_| luck.below(5)).collect();
        assert_eq!(spread.len(), 5);
        assert_eq!(luck.below(0), 0);
    }
}
