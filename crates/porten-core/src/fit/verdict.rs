//! Whether it fits, Mac by Mac, and the one sentence that says so.

use super::plan::Room;
use super::split::Indivisible;

/// The unit a person sees: decimal, as the sizes of models are published.
const GB: u64 = 1_000_000_000;

/// What one Mac would hold (bytes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Whose.
    pub name: String,
    /// Its part of the weights.
    pub weights_bytes: u64,
    /// Its part of the cache.
    pub cache_bytes: u64,
    /// What it needs beside that.
    pub overhead_bytes: u64,
    /// What its GPU may use.
    pub usable_bytes: u64,
    /// What it would need more; 0: it fits.
    pub missing_bytes: u64,
}

impl Share {
    pub(super) fn new(room: &Room, weights_bytes: u64, cache_bytes: u64, overhead_bytes: u64) -> Self {
        let (name, usable_bytes) = (room.name.clone(), room.usable_bytes);
        let mut share = Self { name, weights_bytes, cache_bytes, overhead_bytes, usable_bytes, missing_bytes: 0 };
        share.missing_bytes = share.needed_bytes().saturating_sub(usable_bytes);
        share
    }

    /// All of it.
    #[must_use]
    pub const fn needed_bytes(&self) -> u64 {
        self.weights_bytes.saturating_add(self.cache_bytes).saturating_add(self.overhead_bytes)
    }

    /// What would be left on this Mac.
    #[must_use]
    pub const fn spare_bytes(&self) -> u64 {
        self.usable_bytes.saturating_sub(self.needed_bytes())
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As asked.
    Fits {
        /// In the order of the Macs.
        per_mac: Vec<Share>,
    },
    /// Not as asked, but with shorter sequences.
    FitsWithLess {
        /// The longest that fits: tokens of each sequence, a multiple of 1,024, at least 4,096.
        context: u64,
        /// With that context.
        per_mac: Vec<Share>,
    },
    /// Some Mac lacks memory, and no shorter context worth having helps.
    Missing {
        /// With the context that was asked for.
        per_mac: Vec<Share>,
    },
    /// It cannot be divided so.
    NotDivisible {
        /// The whole sentence.
        why: Indivisible,
    },
    /// Nothing is claimed.
    Unknown {
        /// The whole sentence.
        why: Doubt,
    },
}

/// Why nothing is claimed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// No facts.
    #[error("whether it fits is not known: nothing is known here of its architecture")]
    Architecture,
    /// Its name says one thing and its card another.
    #[error("whether it fits is not known: {name} has {known} layers, and this model's card says {card}")]
    Layers {
        /// The family.
        name: String,
        /// Layers of the family.
        known: u32,
        /// Layers on the card.
        card: u32,
    },
    /// The card does not say how large it is, or exo has not counted yet.
    #[error("whether it fits is not known: nobody says how large its weights are")]
    Weights,
    /// Nowhere to fit.
    #[error("whether it fits is not known: there is no Mac")]
    NoMac,
    /// The layers of a given pipeline are not those of the model, or not one number for each Mac.
    #[error("whether it fits is not known: the placement does not have all of its layers")]
    Split,
}

impl Verdict {
    /// Whether it can be loaded and used as asked.
    #[must_use]
    pub const fn fits(&self) -> bool {
        matches!(self, Self::Fits { .. })
    }

    /// For a person, without a full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Fits { per_mac } => match per_mac.iter().min_by_key(|share| share.spare_bytes()) {
                Some(fullest) => format!("it fits, and {} keeps {} free", fullest.name, gb(fullest.spare_bytes() / GB)),
                None => "it fits".to_owned(),
            },
            Self::FitsWithLess { context, .. } => format!("it fits with a context of {} tokens", grouped(*context)),
            Self::Missing { per_mac } => missing(per_mac),
            Self::NotDivisible { why } => why.to_string(),
            Self::Unknown { why } => why.to_string(),
        }
    }
}

/// Names the Mac that lacks most. What it needs is rounded up and what it has down, so that the difference a person
/// works out is the one that stands there, and is never nothing.
fn missing(per_mac: &[Share]) -> String {
    let Some(worst) = per_mac.iter().rev().max_by_key(|share| share.missing_bytes) else {
        return "it does not fit".to_owned();
    };
    let (needs, has) = (worst.needed_bytes().div_ceil(GB), worst.usable_bytes / GB);
    let others = per_mac.iter().filter(|share| share.missing_bytes > 0).count().saturating_sub(1);
    let others = match others {
        0 => String::new(),
        1 => ", and another Mac lacks memory too".to_owned(),
        others => format!(", and {others} other Macs lack memory too"),
    };
    let (name, over) = (&worst.name, gb(needs.saturating_sub(has)));
    format!("{name} would need {} and its GPU can use {}: {over} too much{others}", gb(needs), gb(has))
}

/// Whole decimal gigabytes.
fn gb(whole: u64) -> String {
    format!("{} GB", grouped(whole))
}

/// `65,536`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
