//! What is known of a family of models, found by a model's id. The file behind it is `models.toml`, which says its sources.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use serde::Deserialize;

use super::cache::Term;
use super::split::Indivisible;

/// A family of models that share an architecture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// As people call it.
    pub name: String,
    /// Parts of an id by which it is recognised, in lower case.
    pub needles: Vec<String>,
    /// Layers, as in the model's own configuration.
    pub layers: u32,
    /// Other numbers of layers that cards of the same model carry.
    #[serde(default)]
    pub card_layers: Vec<u32>,
    /// Numbers in the vector between two layers.
    pub hidden_size: u32,
    /// What else must divide by the number of Macs before exo splits it by tensor.
    pub divides: Divides,
    /// The longest context it was made for (tokens).
    pub native_context: u64,
    /// Where all that comes from.
    pub source: String,
    /// What a sequence keeps.
    pub cache: Vec<Term>,
    /// Weights that one can get.
    pub builds: Vec<Build>,
}

/// What exo wants divisible by the number of Macs, beside the hidden size (`placement.py`, `auto_parallel.py`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Divides {
    /// The key/value heads of exo's card, whatever the cache really is.
    KvHeads(NonZeroU32),
    /// `DeepSeek` V4: the heads of one output group. Its card's one key/value head is not looked at.
    HeadsPerGroup(NonZeroU32),
}

/// One set of weights.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The quantisation, after the version where the family has several.
    pub name: String,
    /// Bytes of the weights.
    pub bytes: u64,
    /// Where that comes from.
    pub source: String,
}

/// The facts do not read.
#[derive(Debug, thiserror::Error)]
#[error("the facts about models do not read")]
pub struct FactsError(#[from] toml::de::Error);

/// Reads facts, strictly.
///
/// # Errors
/// No TOML, or a key that is unknown or missing.
pub fn read(text: &str) -> Result<Vec<Facts>, FactsError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        model: Vec<Facts>,
    }
    let File { model } = toml::from_str(text)?;
    Ok(model)
}

/// Every family that is known.
#[must_use]
pub fn families() -> &'static [Facts] {
    // A test reads the same text. Were it broken all the same, every model would be unknown, and none said to fit.
    static FAMILIES: LazyLock<Vec<Facts>> = LazyLock::new(|| read(include_str!("models.toml")).unwrap_or_default());
    &FAMILIES
}

impl Facts {
    /// The family of a model, by the last segment of its id. A draft model may carry the name of the large one that it
    /// serves: [`super::check`] compares the layers too.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        let name = id.trim_end_matches('/').rsplit('/').next().unwrap_or(id).to_ascii_lowercase();
        let found = families().iter().flat_map(|facts| facts.needles.iter().map(move |needle| (needle, facts)));
        let found = found.filter(|(needle, _)| names(&name, needle));
        found.max_by_key(|(needle, _)| needle.len()).map(|(_, facts)| facts)
    }

    /// Whether a model of so many layers can be of this family.
    #[must_use]
    pub fn has_layers(&self, layers: u32) -> bool {
        self.layers == layers || self.card_layers.contains(&layers)
    }

    /// Cache bytes for each token of a sequence, index keys included: what the engine keeps, and what is planned with.
    #[must_use]
    pub fn bytes_per_token(&self) -> u64 {
        self.cache.iter().map(Term::bytes_per_token).fold(0, u64::saturating_add)
    }

    /// The same without the keys of sparse attention's index, as many tables give it.
    #[must_use]
    pub fn bytes_per_token_without_index(&self) -> u64 {
        self.cache.iter().filter(|term| !term.is_index()).map(Term::bytes_per_token).fold(0, u64::saturating_add)
    }

    /// Cache bytes for each sequence, whatever its length.
    #[must_use]
    pub fn fixed_bytes(&self) -> u64 {
        self.cache.iter().map(Term::fixed_bytes).fold(0, u64::saturating_add)
    }

    /// The whole cache of so many sequences of so many tokens each (bytes; the largest number where it is beyond that).
    #[must_use]
    pub fn cache_bytes(&self, context: u64, sequences: u32) -> u64 {
        self.cache_bytes_by_tensor(context, sequences, 1)
    }

    /// What each of `ranks` Macs keeps of that when the model is split by tensor (bytes).
    #[must_use]
    pub fn cache_bytes_by_tensor(&self, context: u64, sequences: u32, ranks: u32) -> u64 {
        let terms = self.cache.iter().map(|term| {
            let (some, of) = term.part_by_tensor(ranks);
            let one = term.bytes_per_token().saturating_mul(context).saturating_add(term.fixed_bytes());
            part(one.saturating_mul(u64::from(sequences)), some, of)
        });
        terms.fold(0, u64::saturating_add)
    }

    /// Whether exo could split it by tensor over so many Macs.
    ///
    /// # Errors
    /// What does not divide.
    pub fn divides_by(&self, macs: u32) -> Result<(), Indivisible> {
        let divides = |size: u32| size.checked_rem(macs) == Some(0);
        match self.divides {
            _ if !divides(self.hidden_size) => Err(Indivisible::HiddenSize { size: self.hidden_size, macs }),
            Divides::KvHeads(heads) if !divides(heads.get()) => Err(Indivisible::KvHeads { heads: heads.get(), macs }),
            Divides::HeadsPerGroup(heads) if !divides(heads.get()) => {
                Err(Indivisible::HeadsPerGroup { heads: heads.get(), macs })
            }
            _ => Ok(()),
        }
    }
}

/// `some` parts of `of` equal ones, rounded up; all of it if there are no parts.
pub(super) fn part(bytes: u64, some: u32, of: u32) -> u64 {
    let of = u128::from(of.max(1));
    u64::try_from((u128::from(bytes) * u128::from(some)).div_ceil(of)).unwrap_or(u64::MAX)
}

/// Whether the needle stands in the name as words of its own: `glm-5` is not in `glm-5.3` nor in `glm-5v`.
fn names(name: &str, needle: &str) -> bool {
    name.match_indices(needle).any(|(at, found)| {
        let before = name[..at].chars().next_back();
        let mut after = name[at + found.len()..].chars();
        let next = after.next();
        let goes_on = next.is_some_and(|c| c.is_alphanumeric())
            || (next == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()));
        !before.is_some_and(char::is_alphanumeric) && !goes_on
    })
}
