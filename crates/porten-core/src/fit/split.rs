//! How a model is divided over Macs: layers by free memory, as exo does it, or a slice of every layer.

/// A division that is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// Each Mac has some of the layers: so many, in the order of the Macs.
    Pipeline(Vec<u32>),
    /// Each Mac has an equal slice of every layer.
    Tensor,
}

/// Why a model cannot be divided so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Indivisible {
    /// exo wants the hidden size divisible.
    #[error("it cannot be split by tensor on {macs} Macs: its hidden size of {size} does not divide by {macs}")]
    HiddenSize {
        /// Numbers in the vector between two layers.
        size: u32,
        /// How many Macs.
        macs: u32,
    },
    /// exo wants the key/value heads of its card divisible.
    #[error("it cannot be split by tensor on {macs} Macs: its {heads} key/value heads do not divide by {macs}")]
    KvHeads {
        /// On exo's card.
        heads: u32,
        /// How many Macs.
        macs: u32,
    },
    /// exo wants the heads of one output group of `DeepSeek` V4 divisible.
    #[error("it cannot be split by tensor on {macs} Macs: its {heads} heads per group do not divide by {macs}")]
    HeadsPerGroup {
        /// Heads in one group.
        heads: u32,
        /// How many Macs.
        macs: u32,
    },
    /// A pipeline gives each Mac a layer at least.
    #[error("it cannot be split as a pipeline on {macs} Macs: it has {layers} layers, and each Mac needs one")]
    Layers {
        /// Of the model.
        layers: u32,
        /// How many Macs.
        macs: u32,
    },
}

/// Layers for each Mac, in proportion to its free memory (bytes) by the largest remainder, at least one each, as exo's
/// `placement_utils.py` deals them out. exo computes with floating point and this does not, so where two remainders
/// are equal exo may give the odd layer to another Mac: what exo has decided goes to [`super::check`].
///
/// # Errors
/// Fewer layers than Macs.
pub fn split_layers(layers: u32, free: &[u64]) -> Result<Vec<u32>, Indivisible> {
    let macs = u32::try_from(free.len()).unwrap_or(u32::MAX);
    if layers < macs {
        return Err(Indivisible::Layers { layers, macs });
    }
    // Where nothing is free anywhere exo refuses; here a byte each makes equal parts of it.
    let free = free.iter().map(|&bytes| u128::from(bytes.max(1)));
    let all: u128 = free.clone().sum();
    let exact = free.map(|bytes| bytes * u128::from(layers));
    // A part of `layers` cannot be more than they are.
    let mut split: Vec<u32> = exact.clone().map(|exact| u32::try_from(exact / all).unwrap_or(layers)).collect();
    let remainders: Vec<u128> = exact.map(|exact| exact % all).collect();
    let mut order: Vec<usize> = (0..split.len()).collect();
    order.sort_by_key(|&mac| std::cmp::Reverse(remainders[mac]));
    let left = layers.saturating_sub(split.iter().sum());
    for &mac in order.iter().take(usize::try_from(left).unwrap_or(0)) {
        split[mac] += 1;
    }
    while let Some(empty) = split.iter().position(|&layers| layers == 0) {
        // Of equal ones the first, as exo does.
        let Some(most) = (0..split.len()).rev().max_by_key(|&mac| split[mac]) else { break };
        split[most] -= 1;
        split[empty] += 1;
    }
    Ok(split)
}
