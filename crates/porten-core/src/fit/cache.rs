//! What one sequence keeps in memory beside the weights: bytes that grow with its tokens, and bytes that do not.

use std::num::NonZeroU32;

use serde::Deserialize;

/// The bytes of one number in a cache that is kept at bf16.
const BYTES: u32 = 2;

/// The cache of the layers of one sort.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// How many layers are of this sort.
    pub layers: u32,
    /// What each of them keeps.
    pub kind: Kind,
    /// Where that comes from.
    pub source: String,
}

/// The sorts of cache. Numbers are per layer, except constant bytes, which are of all layers of the term together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Kind {
    /// Grouped-query attention: a key and a value for each token and head.
    Full {
        /// Heads that have keys and values of their own.
        kv_heads: NonZeroU32,
        /// Numbers in one key.
        head_dim: u32,
    },
    /// Latent attention (MLA): one vector for each token, which all heads share.
    Latent {
        /// Numbers in the compressed vector.
        rank: u32,
        /// Numbers that carry the position.
        rope_dim: u32,
    },
    /// `DeepSeek` V4: one shared vector for each group of tokens.
    Compressed {
        /// Numbers in one vector.
        head_dim: u32,
        /// Tokens in one group.
        ratio: NonZeroU32,
        /// Numbers in the key that finds the group; 0 where nothing is looked up.
        #[serde(default)]
        index_dim: u32,
    },
    /// Sparse attention's keys that say which tokens to look at, beside the layer's own cache.
    Index {
        /// Numbers in one key.
        index_dim: u32,
    },
    /// Attention to the last tokens only: full from the first hundred tokens on.
    Sliding {
        /// Of all layers of the term, for one sequence.
        bytes: u64,
    },
    /// Linear attention: a state, whatever the length.
    State {
        /// Of all layers of the term, for one sequence.
        bytes: u64,
    },
}

impl Term {
    /// Bytes for each token of a sequence, all layers of the term together.
    #[must_use]
    pub fn bytes_per_token(&self) -> u64 {
        match self.kind {
            Kind::Full { kv_heads, head_dim } => product([2, self.layers, kv_heads.get(), head_dim, BYTES]),
            Kind::Latent { rank, rope_dim } => product([self.layers, rank.saturating_add(rope_dim), BYTES]),
            Kind::Compressed { head_dim, ratio, index_dim } => {
                product([self.layers, head_dim.saturating_add(index_dim), BYTES]) / u64::from(ratio.get())
            }
            Kind::Index { index_dim } => product([self.layers, index_dim, BYTES]),
            Kind::Sliding { .. } | Kind::State { .. } => 0,
        }
    }

    /// Bytes for each sequence that do not grow.
    #[must_use]
    pub const fn fixed_bytes(&self) -> u64 {
        match self.kind {
            Kind::Sliding { bytes } | Kind::State { bytes } => bytes,
            _ => 0,
        }
    }

    /// Whether these are keys beside another cache, which some tables of models leave out.
    #[must_use]
    pub const fn is_index(&self) -> bool {
        matches!(self.kind, Kind::Index { .. })
    }

    /// The part of this cache that each of `ranks` Macs keeps when the model is split by tensor: (some, of so many).
    ///
    /// Only heads can be shared out. A vector that all heads read stays whole on every Mac: mlx-lm's `deepseek_v3.py`
    /// and exo's strategies for `DeepSeek` split the projections to the heads and the experts, and nothing before them.
    /// Bytes that do not grow are few, and are taken as whole.
    #[must_use]
    pub fn part_by_tensor(&self, ranks: u32) -> (u32, u32) {
        match self.kind {
            Kind::Full { kv_heads, .. } if (1..=kv_heads.get()).contains(&ranks) => {
                (kv_heads.get().div_ceil(ranks), kv_heads.get())
            }
            _ => (1, 1),
        }
    }
}

fn product<const N: usize>(factors: [u32; N]) -> u64 {
    factors.into_iter().fold(1, |all: u64, factor| all.saturating_mul(u64::from(factor)))
}
