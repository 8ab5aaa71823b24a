//! Chooses the members for a model and cuts it, by exo's own arithmetic: it counts free memory, and nothing beside the
//! weights.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::documents::card::Card;
use crate::documents::instance::{Meta, Sharding};

/// What somebody wants placed.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) card: Arc<Card>,
    pub(crate) sharding: Sharding,
    pub(crate) meta: Meta,
    pub(crate) min_nodes: usize,
    /// Nodes that must be among those chosen.
    pub(crate) required: Vec<String>,
}

/// What counts of a member.
#[derive(Debug, Clone)]
pub(super) struct Room {
    pub(super) node: String,
    /// Free bytes.
    pub(super) free: u64,
    /// How much of the model's files it has, 0 to 1.
    pub(super) has: f64,
    /// Whether there are ways to and from the others.
    pub(super) is_linked: bool,
    /// To which rooms RDMA leads, by their places.
    pub(super) rdma: Vec<bool>,
}

/// Who gets what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Places in the list of rooms, by rank.
    pub(super) ranks: Vec<usize>,
    pub(super) sharding: Sharding,
    pub(super) meta: Meta,
    /// First layer, and the one after the last, by rank.
    pub(super) cuts: Vec<(u32, u32)>,
}

/// Why exo places nothing, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unplaceable {
    #[error("No cycles found with sufficient memory")]
    Memory,
    #[error("Requested RDMA (MlxJaccl) but no RDMA-connected cycles available")]
    NoRdma,
    #[error("Requested Tensor sharding but this model does not support tensor parallelism: {0}")]
    NoTensor(String),
    #[error("No tensor sharding found for model with hidden_size={hidden}{} across candidate cycles", and_heads(*.heads))]
    Indivisible { hidden: u32, heads: Option<u32> },
    #[error("Pipeline parallelism is not supported for DeepSeek V3.1 (8-bit)")]
    NoPipelineDeepSeek,
    #[error("Pipeline parallelism is not supported for Gemma 4; use tensor parallelism instead.")]
    NoPipelineGemma,
    #[error("Cannot distribute {layers} layers across {nodes} nodes (need at least 1 layer per node)")]
    FewLayers { layers: u32, nodes: usize },
    #[error(
        "Node {rank} ({node}) has insufficient memory: requires {} GB for {layers} layers, but only has {} GB available",
        gb(*.required), gb(*.free)
    )]
    Narrow { rank: usize, node: String, required: u64, layers: u32, free: u64 },
}

fn and_heads(heads: Option<u32>) -> String {
    heads.map(|heads| format!(", num_key_value_heads={heads}")).unwrap_or_default()
}

/// Decimal gigabytes with two digits.
fn gb(bytes: u64) -> String {
    let hundredths = (bytes + 5_000_000) / 10_000_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Chooses members and cuts.
pub(super) fn plan(wish: &Wish, rooms: &[Room]) -> Result<Plan, Unplaceable> {
    let mut groups = roomy(wish, rooms);
    if groups.is_empty() {
        return Err(Unplaceable::Memory);
    }
    allow(wish, &mut groups)?;
    let smallest = smallest(wish, groups, rooms)?;
    let ranks = choose(smallest, rooms).ok_or(Unplaceable::Memory)?;
    // One member needs no cut and no partner.
    let (sharding, meta) =
        if ranks.len() == 1 { (Sharding::Pipeline, Meta::MlxRing) } else { (wish.sharding, wish.meta) };
    let cuts = match sharding {
        Sharding::Tensor => vec![(0, wish.card.n_layers); ranks.len()],
        Sharding::Pipeline => cut(&wish.card, &ranks, rooms)?,
    };
    Ok(Plan { ranks, sharding, meta, cuts })
}

/// All groups with enough members and memory. Macs with links are linked to all, so any group of them is a ring.
fn roomy(wish: &Wish, rooms: &[Room]) -> Vec<Vec<usize>> {
    let all = (1..1_usize << rooms.len()).map(|bits| (0..rooms.len()).filter(|place| bits >> place & 1 == 1).collect());
    let is_wide = |group: &Vec<usize>| group.len() >= wish.min_nodes && free(group, rooms) >= wish.card.bytes();
    let is_ring = |group: &Vec<usize>| {
        group.len() == 1 || group.iter().filter_map(|place| rooms.get(*place)).all(|room| room.is_linked)
    };
    let has_required = |group: &Vec<usize>| {
        wish.required
            .iter()
            .all(|node| group.iter().any(|place| rooms.get(*place).is_some_and(|room| room.node == *node)))
    };
    all.filter(|group| is_wide(group) && is_ring(group) && has_required(group)).collect()
}

fn free(group: &[usize], rooms: &[Room]) -> u64 {
    group.iter().filter_map(|place| rooms.get(*place)).map(|room| room.free).sum()
}

/// Leaves the groups on which the model can be cut as is wished.
fn allow(wish: &Wish, groups: &mut Vec<Vec<usize>>) -> Result<(), Unplaceable> {
    let card = &wish.card;
    match wish.sharding {
        Sharding::Tensor if !card.supports_tensor => Err(Unplaceable::NoTensor(card.model_id.clone())),
        Sharding::Tensor => {
            // Its one key-value head is shared by all: exo cuts it elsewhere.
            let heads = card.num_key_value_heads.filter(|_| !card.base_model.starts_with("DeepSeek V4"));
            let divides = |number: u32, group: &Vec<usize>| (number as usize).is_multiple_of(group.len());
            groups.retain(|group| divides(card.hidden_size, group) && heads.is_none_or(|heads| divides(heads, group)));
            let indivisible = Unplaceable::Indivisible { hidden: card.hidden_size, heads: card.num_key_value_heads };
            if groups.is_empty() { Err(indivisible) } else { Ok(()) }
        }
        Sharding::Pipeline if card.model_id == "mlx-community/DeepSeek-V3.1-8bit" => {
            Err(Unplaceable::NoPipelineDeepSeek)
        }
        Sharding::Pipeline if card.base_model.starts_with("Gemma 4") => {
            groups.retain(|group| group.len() == 1);
            if groups.is_empty() { Err(Unplaceable::NoPipelineGemma) } else { Ok(()) }
        }
        Sharding::Pipeline => Ok(()),
    }
}

/// The groups of the fewest members; where RDMA is wished for, those of them that it connects.
fn smallest(wish: &Wish, groups: Vec<Vec<usize>>, rooms: &[Room]) -> Result<Vec<Vec<usize>>, Unplaceable> {
    let fewest = groups.iter().map(Vec::len).min().unwrap_or_default();
    let mut smallest: Vec<_> = groups.into_iter().filter(|group| group.len() == fewest).collect();
    if wish.meta == Meta::MlxJaccl {
        let leads =
            |from: usize, to: usize| from == to || rooms.get(from).is_some_and(|room| room.rdma.get(to) == Some(&true));
        smallest.retain(|group| group.iter().all(|from| group.iter().all(|to| leads(*from, *to))));
    }
    if smallest.is_empty() { Err(Unplaceable::NoRdma) } else { Ok(smallest) }
}

/// The group that has most of the files, then the most free memory, then the first.
fn choose(groups: Vec<Vec<usize>>, rooms: &[Room]) -> Option<Vec<usize>> {
    let has = |group: &[usize]| group.iter().filter_map(|place| rooms.get(*place)).map(|room| room.has).sum::<f64>();
    let compare = |one: &[usize], other: &[usize]| {
        let files = has(one).partial_cmp(&has(other)).unwrap_or(Ordering::Equal);
        files.then_with(|| free(one, rooms).cmp(&free(other, rooms)))
    };
    groups.into_iter().reduce(|best, next| if compare(&next, &best).is_gt() { next } else { best })
}

/// Cuts layers by free memory, and checks that each part fits.
fn cut(card: &Card, ranks: &[usize], rooms: &[Room]) -> Result<Vec<(u32, u32)>, Unplaceable> {
    let rooms: Vec<&Room> = ranks.iter().filter_map(|place| rooms.get(*place)).collect();
    let free: Vec<u64> = rooms.iter().map(|room| room.free).collect();
    let shares = share_out(card.n_layers, &free)?;
    let mut first = 0;
    let mut cuts = Vec::with_capacity(shares.len());
    for (rank, (layers, room)) in shares.into_iter().zip(rooms).enumerate() {
        let required = card.bytes_of(layers);
        if required > room.free {
            return Err(Unplaceable::Narrow { rank, node: room.node.clone(), required, layers, free: room.free });
        }
        cuts.push((first, first + layers));
        first += layers;
    }
    Ok(cuts)
}

/// Shares layers by weight: each gets its whole ones, the rest goes to the largest remainders; nobody gets none.
fn share_out(layers: u32, weights: &[u64]) -> Result<Vec<u32>, Unplaceable> {
    let nodes = weights.len();
    if (layers as usize) < nodes {
        return Err(Unplaceable::FewLayers { layers, nodes });
    }
    let total = weights.iter().map(|weight| u128::from(*weight)).sum::<u128>().max(1);
    let parts = weights.iter().map(|weight| u128::from(*weight) * u128::from(layers));
    let (mut shares, remainders): (Vec<u32>, Vec<u128>) =
        parts.map(|part| (u32::try_from(part / total).unwrap_or(layers), part % total)).unzip();
    let mut order: Vec<usize> = (0..nodes).collect();
    order.sort_by_key(|place| std::cmp::Reverse(remainders.get(*place).copied()));
    let rest = layers.saturating_sub(shares.iter().sum());
    for place in order.into_iter().cycle().take(rest as usize) {
        if let Some(share) = shares.get_mut(place) {
            *share += 1;
        }
    }
    while let Some(empty) = shares.iter().position(|share| *share == 0) {
        if let Some(largest) = shares.iter_mut().max() {
            *largest -= 1;
        }
        if let Some(share) = shares.get_mut(empty) {
            *share = 1;
        }
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::documents::card;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn wish(model: &str, sharding: Sharding, min_nodes: usize) -> Wish {
        let card = card::built_in().unwrap().into_iter().find(|card| card.model_id == model).unwrap();
        Wish { card, sharding, meta: Meta::MlxJaccl, min_nodes, required: Vec::new() }
    }

    fn rooms(gib: &[u64]) -> Vec<Room> {
        let rdma = vec![true; gib.len()];
        let room = |(place, gib): (usize, &u64)| Room {
            node: format!("n{place}"),
            free: gib * GIB,
            has: 0.0,
            is_linked: true,
            rdma: rdma.clone(),
        };
        gib.iter().enumerate().map(room).collect()
    }

    const FLASH: &str = "mlx-community/DeepSeek-V4-Flash";
    const LLAMA: &str = "mlx-community/Llama-3.3-70B-Instruct-4bit";

    #[test]
    fn the_fewest_members_that_hold_the_weights_are_chosen() {
        let flash = wish(FLASH, Sharding::Tensor, 1);
        let two = plan(&flash, &rooms(&[100, 110, 120])).unwrap();
        assert_eq!((two.ranks, two.cuts, two.meta), (vec![1, 2], vec![(0, 43); 2], Meta::MlxJaccl));
        assert_eq!(plan(&flash, &rooms(&[500, 110, 600])).unwrap().ranks, [2]);
        assert_eq!(plan(&flash, &rooms(&[40, 40, 40])), Err(Unplaceable::Memory));
    }

    #[test]
    fn one_member_is_always_a_pipeline_on_a_ring() {
        let one = plan(&wish(FLASH, Sharding::Tensor, 1), &rooms(&[500])).unwrap();
        assert_eq!((one.sharding, one.meta, one.cuts), (Sharding::Pipeline, Meta::MlxRing, vec![(0, 43)]));
    }

    #[test]
    fn a_pipeline_is_cut_by_free_memory_with_the_largest_remainders() {
        let three = plan(&wish(LLAMA, Sharding::Pipeline, 3), &rooms(&[400, 100, 100])).unwrap();
        assert_eq!(three.cuts, [(0, 54), (54, 67), (67, 80)]);
        assert_eq!(share_out(4, &[1, 1, 1]).unwrap(), [2, 1, 1]);
        assert_eq!(share_out(4, &[1000, 1, 1]).unwrap(), [2, 1, 1]);
        assert_eq!(share_out(2, &[1, 1, 1]), Err(Unplaceable::FewLayers { layers: 2, nodes: 3 }));
    }

    #[test]
    fn tensor_parts_must_divide_the_model_and_its_heads() {
        let said = plan(&wish(LLAMA, Sharding::Tensor, 3), &rooms(&[100, 100, 100])).unwrap_err().to_string();
        assert_eq!(
            said,
            "No tensor sharding found for model with hidden_size=8192, num_key_value_heads=8 across candidate cycles"
        );
        assert!(plan(&wish(LLAMA, Sharding::Tensor, 2), &rooms(&[100, 100])).is_ok());
        // One head, and still it is cut in two.
        assert!(plan(&wish(FLASH, Sharding::Tensor, 2), &rooms(&[100, 100])).is_ok());
    }

    #[test]
    fn members_that_have_the_files_come_first_and_required_ones_are_in() {
        let mut rooms = rooms(&[100, 100, 120]);
        rooms[0].has = 1.0;
        assert_eq!(plan(&wish(LLAMA, Sharding::Pipeline, 1), &rooms).unwrap().ranks, [0]);
        let required = Wish { required: vec!["n1".into()], ..wish(LLAMA, Sharding::Pipeline, 1) };
        assert_eq!(plan(&required, &rooms).unwrap().ranks, [1]);
    }

    #[test]
    fn macs_without_links_serve_alone_and_without_rdma_no_jaccl_is_placed() {
        let mut rooms = rooms(&[100, 100, 500]);
        rooms[2].is_linked = false;
        assert_eq!(plan(&wish(FLASH, Sharding::Tensor, 1), &rooms).unwrap().ranks, [2]);
        assert_eq!(plan(&wish(FLASH, Sharding::Tensor, 2), &rooms).unwrap().ranks, [0, 1]);
        rooms[1].rdma[0] = false;
        assert_eq!(plan(&wish(FLASH, Sharding::Tensor, 2), &rooms), Err(Unplaceable::NoRdma));
    }

    #[test]
    fn models_that_exo_cannot_pipeline_are_refused_in_its_words() {
        let v31 = wish("mlx-community/DeepSeek-V3.1-8bit", Sharding::Pipeline, 1);
        assert_eq!(plan(&v31, &rooms(&[2000])), Err(Unplaceable::NoPipelineDeepSeek));
        let narrow = plan(&wish(LLAMA, Sharding::Pipeline, 2), &rooms(&[40, 0])).unwrap_err().to_string();
        assert!(narrow.starts_with("Node 1 (n1) has insufficient memory: requires 0.51 GB for 1 layers"), "{narrow}");
    }
}
