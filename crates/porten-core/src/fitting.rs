//! Whether a model fits on the Macs of the cluster as they are: exo's own check counts weights alone, and for slices only
//! their sum.

use crate::exo::{Instance, Member, NodeId, Sharding, Telling};
use crate::fit::{self, Ask, Facts, OVERHEAD_BYTES, Room, Split, Verdict};
use crate::memory::MIB;
use crate::pool::Wired;
use crate::time::Now;

/// The context that a request must be able to grow to where nobody said (tokens). Long enough for tools and a file or two;
/// what is beyond it is admitted request by request.
pub const CONTEXT: u64 = 32_768;
/// On a small Mac the fixed overhead would leave nothing: it is at most this part of what its GPU may hold.
const MOST_OVERHEAD: u64 = 10;

/// The cluster as it is.
#[derive(Debug, Clone, Copy)]
pub struct Fitting<'a> {
    /// What exo has told.
    pub telling: &'a Telling,
    /// How much the GPUs may hold.
    pub wired: Wired<'a>,
    /// Now.
    pub now: Now,
}

/// A model that is to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    /// The engine's id.
    pub id: &'a str,
    /// Its weights, as its card says.
    pub bytes: u64,
    /// Its layers, as its card says.
    pub layers: u32,
    /// The context of one request (tokens); `None`: [`CONTEXT`].
    pub context: Option<u64>,
}

impl Fitting<'_> {
    /// Whether a placement that exo offers fits.
    ///
    /// # Errors
    /// It does not, or nobody can say; one sentence with the sum, without a full stop.
    pub fn judge(&self, offered: &Instance, context: Option<u64>) -> Result<(), String> {
        match self.verdict(offered, context) {
            None => Err("one of its Macs has left".to_owned()),
            Some(Verdict::Unknown { .. }) if self.leaves_half(offered) => Ok(()),
            Some(verdict) => read(&verdict),
        }
    }

    /// What the arithmetic says of a placement; `None`: one of its Macs has left.
    fn verdict(&self, placed: &Instance, context: Option<u64>) -> Option<Verdict> {
        let load = Load { id: &placed.model, bytes: placed.bytes(), layers: placed.layers(), context };
        let parts = placed.parts_by_node();
        let members = self.members_of(placed)?;
        let rooms = self.rooms(&members, &load);
        let layers: Option<Vec<u32>> = parts.iter().map(|(_, layers)| *layers).collect();
        let split = match (placed.sharding(), layers) {
            (Sharding::Pipeline, Some(layers)) => Split::Pipeline(layers),
            (Sharding::Tensor, _) | (Sharding::Pipeline, None) => Split::Tensor,
        };
        Some(fit::check(&ask(&load, &rooms), &rooms, &split))
    }

    /// The Macs of a placement, if all of them are there.
    fn members_of(&self, placed: &Instance) -> Option<Vec<&Member>> {
        placed.parts_by_node().iter().map(|(node, _)| self.telling.cluster().member(node)).collect()
    }

    /// Of an architecture that nobody knows here: whatever its cache is, there is as much room for it as for its weights.
    fn leaves_half(&self, offered: &Instance) -> bool {
        let Some(members) = self.members_of(offered) else { return false };
        let load = Load { id: &offered.model, bytes: offered.bytes(), layers: offered.layers(), context: None };
        let parts = offered.parts_by_node();
        let half = |(room, (node, _)): (&Room, &(&NodeId, Option<u32>))| {
            offered.weights_on(node).saturating_mul(2) <= room.usable_bytes
        };
        offered.bytes() > 0 && self.rooms(&members, &load).iter().zip(&parts).all(half)
    }

    /// The longest context of one sequence that there is memory for where a model is placed (tokens), up to what the model
    /// was made for; `None`: nobody can say.
    #[must_use]
    pub fn longest(&self, placed: &Instance) -> Option<u64> {
        let native = Facts::of(&placed.model)?.native_context;
        match self.verdict(placed, Some(native))? {
            Verdict::Fits { .. } => Some(native),
            Verdict::FitsWithLess { context, .. } => Some(context),
            Verdict::Missing { .. } | Verdict::NotDivisible { .. } | Verdict::Unknown { .. } => None,
        }
    }

    /// Whether a model would fit as a pipeline on all Macs that are heard of, which is the most there is.
    ///
    /// # Errors
    /// It does not, or nobody can say; one sentence with the sum, without a full stop.
    pub fn anywhere(&self, load: &Load<'_>) -> Result<(), String> {
        let members = &self.telling.cluster().members;
        let heard: Vec<&Member> =
            members.iter().filter(|member| self.telling.member_state(member, self.now).is_heard()).collect();
        let rooms = self.rooms(&heard, load);
        read(&fit::plan(&ask(load, &rooms), &rooms, Sharding::Pipeline))
    }

    /// What each of these Macs can still hold: what its GPU may, less the weights of the other models on it. What it holds
    /// of this model is free by the time that it is loaded.
    fn rooms(&self, members: &[&Member], load: &Load<'_>) -> Vec<Room> {
        let weights = |node: &NodeId, of_this: bool| {
            let instances = self.telling.instances().map(|(instance, _)| instance);
            let counted = instances.filter(|one| (one.model == load.id) == of_this);
            counted.fold(0_u64, |sum, one| sum.saturating_add(one.weights_on(node)))
        };
        let room = |member: &&Member| {
            let usable = self.wired.of(member).map_or(0, |(mib, _)| mib) * MIB;
            Room {
                name: member.name.clone().unwrap_or_else(|| member.id.clone()),
                usable_bytes: usable.saturating_sub(weights(&member.id, false)),
                free_bytes: (member.free_mib.unwrap_or(0) * MIB).saturating_add(weights(&member.id, true)),
            }
        };
        members.iter().map(room).collect()
    }
}

fn ask<'a>(load: &Load<'_>, rooms: &[Room]) -> Ask<'a> {
    let facts = Facts::of(load.id);
    let context = load.context.unwrap_or(CONTEXT);
    let smallest = rooms.iter().map(|room| room.usable_bytes).min().unwrap_or(0);
    Ask {
        facts,
        weights_bytes: load.bytes,
        layers: load.layers,
        context: facts.map_or(context, |facts| context.min(facts.native_context)),
        sequences: 1,
        overhead_bytes: OVERHEAD_BYTES.min(smallest / MOST_OVERHEAD),
    }
}

fn read(verdict: &Verdict) -> Result<(), String> {
    match verdict {
        Verdict::Fits { .. } | Verdict::FitsWithLess { .. } => Ok(()),
        Verdict::Missing { .. } | Verdict::NotDivisible { .. } | Verdict::Unknown { .. } => Err(verdict.sentence()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exo::{Answer, Document, Input, Preview, read_previews};
    use crate::limits::Limits;
    use crate::reply::Reply;
    use crate::time::Moment;
    use jiff::Timestamp;
    use serde_json::{Value, json};

    const NOW: Now = Now::new(Moment::START, Timestamp::UNIX_EPOCH);

    fn telling(macs: &[(&str, u64)]) -> Telling {
        let bytes = |gib: u64| json!({ "inBytes": gib << 30 });
        let mut telling = Telling::default();
        let mut tell = |document, body: Value| {
            let _ = telling.on(Input::Told(Answer::read(document, &Reply::answer(200, body.to_string()))), NOW);
        };
        let ids: Vec<&str> = macs.iter().map(|(id, _)| *id).collect();
        let each = |value: &dyn Fn(&str, u64) -> Value| {
            Value::Object(macs.iter().map(|(id, gib)| ((*id).to_owned(), value(id, *gib))).collect())
        };
        tell(Document::Topology, json!({ "nodes": ids, "connections": {} }));
        tell(Document::Identities, each(&|id, _| json!({ "friendlyName": id })));
        tell(Document::Memory, each(&|_, gib| json!({ "ramTotal": bytes(gib), "ramAvailable": bytes(gib * 9 / 10) })));
        tell(Document::Instances, json!({}));
        telling
    }

    /// One place, as exo offers it: equal slices, or so many layers of so many on each Mac.
    fn offer(model: &str, bytes: u64, layers: u32, macs: &[(&str, Option<u32>)]) -> Preview {
        let (mut runners, mut shards, mut start) = (serde_json::Map::new(), serde_json::Map::new(), 0);
        let card = json!({ "modelId": model, "storageSize": { "inBytes": bytes }, "nLayers": layers });
        for (node, own) in macs {
            runners.insert((*node).to_owned(), json!(node));
            let shard = match own {
                Some(own) => {
                    start += own;
                    json!({ "PipelineShardMetadata": { "modelCard": card, "startLayer": start - own, "endLayer": start, "nLayers": layers } })
                }
                None => json!({ "TensorShardMetadata": { "modelCard": card } }),
            };
            shards.insert((*node).to_owned(), shard);
        }
        let instance = json!({ "MlxRingInstance": { "instanceId": "i", "shardAssignments":
            { "modelId": model, "nodeToRunner": runners, "runnerToShard": shards } } });
        let previews = json!({ "previews": [{ "sharding": "Pipeline", "instance": instance, "error": null }] });
        read_previews(previews.to_string().as_bytes()).unwrap().remove(0)
    }

    fn judge(macs: &[(&str, u64)], place: &Preview) -> Result<(), String> {
        let (telling, limits) = (telling(macs), Limits::default());
        let fitting = Fitting { telling: &telling, wired: Wired { read_mib: None, limits: &limits }, now: NOW };
        fitting.judge(&place.instance, None)
    }

    const M2: &str = "mlx-community/MiniMax-M2.7-8bit";
    const M2_BYTES: u64 = 243_000_000_000;

    #[test]
    fn exos_sum_of_free_memory_overcommits_the_smaller_mac_of_a_pair() {
        let macs = [("studio", 512), ("mbp", 128)];
        let slices = offer(M2, M2_BYTES, 62, &[("studio", None), ("mbp", None)]);
        let why = judge(&macs, &slices).unwrap_err();
        assert!(why.starts_with("mbp would need ") && why.ends_with(" too much"), "{why}");
        let layers = offer(M2, M2_BYTES, 62, &[("studio", Some(50)), ("mbp", Some(12))]);
        assert!(judge(&macs, &layers).is_ok());
    }

    #[test]
    fn a_placed_model_can_hold_as_long_a_context_as_its_macs_have_memory_for() {
        let longest = |gib: u64| {
            let telling = telling(&[("studio", gib)]);
            let limits = Limits::default();
            let fitting = Fitting { telling: &telling, wired: Wired { read_mib: None, limits: &limits }, now: NOW };
            fitting.longest(&offer(M2, M2_BYTES, 62, &[("studio", Some(62))]).instance)
        };
        assert_eq!(longest(512), Some(196_608), "all that it was made for");
        // Three quarters of 352 GiB, less 243 GB of weights and 7 GB of overhead, at 253,952 B a token.
        let less = longest(352).unwrap();
        assert!((120_000..150_000).contains(&less), "{less}");
        assert_eq!(longest(256), None, "its weights alone are too much");
    }

    #[test]
    fn an_unknown_architecture_is_let_in_only_where_its_weights_leave_half() {
        let place = |bytes| offer("org/new-thing", bytes, 10, &[("mini", Some(10))]);
        assert!(judge(&[("mini", 64)], &place(6_000_000)).is_ok());
        let why = judge(&[("mini", 64)], &place(40_000_000_000)).unwrap_err();
        assert!(why.contains("not known"), "{why}");
        assert!(judge(&[("mini", 64)], &place(0)).is_err());
    }

    #[test]
    fn a_place_on_a_mac_that_left_is_none_and_what_remains_is_counted_anew() {
        let place = offer(M2, M2_BYTES, 62, &[("a", Some(31)), ("gone", Some(31))]);
        assert_eq!(judge(&[("a", 512)], &place).unwrap_err(), "one of its Macs has left");
        let (one, limits) = (telling(&[("a", 128)]), Limits::default());
        let wired = Wired { read_mib: None, limits: &limits };
        let load = Load { id: M2, bytes: M2_BYTES, layers: 62, context: None };
        let why = Fitting { telling: &one, wired, now: NOW }.anywhere(&load).unwrap_err();
        assert!(why.contains("a would need"), "{why}");
        let two = telling(&[("a", 512)]);
        assert!(Fitting { telling: &two, wired, now: NOW }.anywhere(&load).is_ok());
    }
}
