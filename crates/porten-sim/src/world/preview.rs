//! Shows how a model could be placed, without placing it.

use std::sync::Arc;

use serde::Serialize;

use super::member::Member;
use super::placement::{self, Room, Unplaceable, Wish};
use super::{World, lay, links};
use crate::documents::card::Card;
use crate::documents::instance::{Instance, Meta, Sharding};
use crate::documents::table::Table;

/// What `/instance/previews` says of one way.
#[derive(Debug, Serialize)]
pub(crate) struct Preview {
    model_id: String,
    sharding: Sharding,
    instance_meta: Meta,
    instance: Option<Instance>,
    /// Bytes, in equal parts whatever the cut.
    memory_delta_by_node: Option<Table<u64>>,
    error: Option<String>,
}

impl World {
    /// An instance as exo would place it now; it is not placed.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn placement(&mut self, wish: &Wish) -> Result<Instance, Unplaceable> {
        let plan = placement::plan(wish, &self.rooms(&wish.card))?;
        // Fields and no method: luck changes while the members are looked at.
        let now = self.now;
        let seen: Vec<&Member> = self.members.iter().filter(|member| member.is_seen(now)).collect();
        let members: Vec<&Member> = plan.ranks.iter().filter_map(|place| seen.get(*place).copied()).collect();
        Ok(lay::lay(&wish.card, &plan, &members, &self.trouble.wires, &mut self.luck))
    }

    /// Every way to place a model: one for each number of members, and the first error of each kind.
    pub(crate) fn previews(&mut self, card: &Arc<Card>, required: &[String]) -> Vec<Preview> {
        let mut previews = Vec::new();
        for sharding in [Sharding::Pipeline, Sharding::Tensor] {
            for meta in [Meta::MlxRing, Meta::MlxJaccl] {
                // Sizes that were shown; 0 stands for the error.
                let mut shown: Vec<usize> = Vec::new();
                for min_nodes in 1..=self.seen().count() {
                    let card = Arc::clone(card);
                    let wish = Wish { card, sharding, meta, min_nodes, required: required.to_vec() };
                    let placed = self.placement(&wish);
                    let size = placed.as_ref().map_or(0, |instance| instance.assignments().node_to_runner.len());
                    if !shown.contains(&size) {
                        shown.push(size);
                        previews.push(preview(&wish, placed));
                    }
                }
            }
        }
        previews
    }

    fn rooms(&self, card: &Card) -> Vec<Room> {
        let seen: Vec<&Member> = self.members.iter().filter(|member| member.is_seen(self.now)).collect();
        let rdma = |from: &Member| seen.iter().map(|to| links::has_rdma(from, to, &self.trouble.wires)).collect();
        let room = |member: &&Member| Room {
            node: member.node.clone(),
            free: member.available(self.weights(&member.node), self.now),
            has: self.downloads.share(&member.node, &card.model_id, self.now),
            is_linked: member.is_reached(self.now),
            rdma: rdma(member),
        };
        seen.iter().map(room).collect()
    }
}

fn preview(wish: &Wish, placed: Result<Instance, Unplaceable>) -> Preview {
    let (instance, error) = match placed {
        Ok(instance) => (Some(instance), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Preview {
        model_id: wish.card.model_id.clone(),
        sharding: wish.sharding,
        instance_meta: wish.meta,
        memory_delta_by_node: instance.as_ref().map(|instance| equal_parts(wish.card.bytes(), instance)),
        instance,
        error,
    }
}

/// The bytes in equal parts; what is left over goes byte by byte to the first nodes by id.
fn equal_parts(bytes: u64, instance: &Instance) -> Table<u64> {
    let mut nodes: Vec<&str> = instance.assignments().node_to_runner.names().collect();
    nodes.sort_unstable();
    let count = u64::try_from(nodes.len()).unwrap_or(1).max(1);
    let part = |place: u64| bytes / count + u64::from(place < bytes % count);
    nodes.into_iter().zip(0..).map(|(node, place)| (node.to_owned(), part(place))).collect()
}
