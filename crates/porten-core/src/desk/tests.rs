//! What the desk does, with an exo that is told here.

use std::cell::RefCell;

use serde_json::json;

use super::sheet::TRIES;
use super::*;
use crate::exo::{Answer, Document, Input, Telling};
use crate::reply::Reply;
use crate::time::Now;

const MODEL: &str = "mlx-community/DeepSeek-V4-Flash";

struct Scene {
    desk: Desk,
    wanted: Vec<String>,
    /// Id, model, the word of its one runner.
    placed: Vec<(&'static str, &'static str, &'static str)>,
    nodes: BTreeSet<NodeId>,
    moving_for: Option<Duration>,
    in_flight: BTreeMap<String, u32>,
    how: BTreeMap<String, How>,
    kept: BTreeSet<String>,
    now: Moment,
}

impl Scene {
    fn with(wanted: &[&str]) -> Self {
        Self {
            desk: Desk::default(),
            wanted: wanted.iter().map(|&id| id.to_owned()).collect(),
            placed: Vec::new(),
            nodes: BTreeSet::from(["a".to_owned()]),
            moving_for: Some(Duration::from_secs(3_600)),
            in_flight: BTreeMap::new(),
            how: BTreeMap::new(),
            kept: BTreeSet::new(),
            now: Moment::after_start(Duration::from_secs(3_600)),
        }
    }

    fn look(&mut self) -> Vec<Effect> {
        let telling = RefCell::new(Telling::default());
        let tell = |document, body: serde_json::Value| {
            let now = Now::new(self.now, jiff::Timestamp::UNIX_EPOCH);
            telling.borrow_mut().on(Input::Told(Answer::read(document, &Reply::answer(200, body.to_string()))), now);
        };
        let mut instances = serde_json::Map::new();
        let mut runners = serde_json::Map::new();
        for (id, model, word) in &self.placed {
            let instance = json!({ "MlxRingInstance": { "shardAssignments": { "modelId": model, "nodeToRunner": { "a": id },
                "runnerToShard": { *id: { "PipelineShardMetadata": { "modelCard": {} } } } } } });
            instances.insert((*id).to_owned(), instance);
            runners.insert((*id).to_owned(), json!({ *word: { "errorMessage": "out of memory" } }));
        }
        tell(Document::Instances, instances.into());
        tell(Document::Runners, runners.into());
        let telling = telling.into_inner();
        let view = View {
            wanted: &self.wanted,
            instances: &telling.instances().collect::<Vec<_>>(),
            nodes: &self.nodes,
            moving_for: self.moving_for,
            in_flight: &self.in_flight,
            how: &self.how,
            kept: &self.kept,
        };
        self.desk.look(&view, self.now)
    }

    fn offer(&mut self, model: &str, instance: &str) -> Option<Effect> {
        let places = vec![place(instance, 2, true)];
        self.desk.offered(model, Ok(places), (self.how(model), &self.nodes, true), |_| Ok(()), self.now)
    }

    fn offer_nothing(&mut self, places: Result<Vec<Preview>, String>) -> Option<Effect> {
        self.desk.offered(MODEL, places, (How::default(), &self.nodes, true), |_| Ok(()), self.now)
    }

    fn how(&self, model: &str) -> How {
        self.how.get(model).copied().unwrap_or_default()
    }

    /// From nothing to an order that exo took.
    fn order(&mut self, model: &str, instance: &str) {
        assert_eq!(self.look(), [Effect::AskPlaces(model.into())]);
        assert!(matches!(self.offer(model, instance), Some(Effect::Order(..))));
        self.desk.ordered(model, Ok(()), self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.moving_for = self.moving_for.map(|moving| moving + Duration::from_secs(seconds));
    }
}

/// A place on so many Macs: slices over RDMA, or a pipeline.
fn place(id: &str, macs: usize, slices: bool) -> Preview {
    let (kind, shard) = if slices { ("MlxJaccl", "Tensor") } else { ("MlxRing", "Pipeline") };
    let nodes: serde_json::Map<String, serde_json::Value> =
        (0..macs).map(|n| (format!("n{n}"), json!(format!("r{n}")))).collect();
    let shards: serde_json::Map<String, serde_json::Value> =
        (0..macs).map(|n| (format!("r{n}"), json!({ format!("{shard}ShardMetadata"): { "modelCard": {} } }))).collect();
    let instance = json!({ format!("{kind}Instance"): { "instanceId": id, "shardAssignments":
        { "modelId": MODEL, "nodeToRunner": nodes, "runnerToShard": shards } } });
    let previews = json!({ "previews": [{ "sharding": shard, "instance": instance, "error": null }] });
    crate::exo::read_previews(previews.to_string().as_bytes()).unwrap().remove(0)
}

#[test]
fn the_best_place_that_fits_is_taken_and_one_that_does_not_only_if_a_person_wants_it_anyway() {
    let mut scene = Scene::with(&[MODEL]);
    let two = || Ok(vec![place("slices", 2, true), place("layers", 3, false)]);
    let judge = |instance: &Instance| {
        if instance.is_rdma() { Err("mac-2: 5 GB too much".to_owned()) } else { Ok(()) }
    };
    let never = |_: &Instance| Err("mac-2: 5 GB too much".to_owned());
    scene.look();
    let how = How::default();
    let Some(Effect::Order(_, taken)) = scene.desk.offered(MODEL, two(), (how, &scene.nodes, true), judge, scene.now)
    else {
        panic!("a place");
    };
    assert_eq!(taken.instance.id, "layers");

    let mut scene = Scene::with(&[MODEL]);
    scene.look();
    assert_eq!(scene.desk.offered(MODEL, two(), (how, &scene.nodes, true), never, scene.now), None);
    assert_eq!(scene.desk.stand(MODEL), Stand::Unfit("mac-2: 5 GB too much".into()));
    scene.pass(299);
    assert_eq!(scene.look(), []);
    scene.nodes.insert("b".into());
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())], "another Mac came");
    let anyway = How { anyway: true, ..how };
    let taken = scene.desk.offered(MODEL, two(), (anyway, &scene.nodes, true), never, scene.now);
    assert!(matches!(taken, Some(Effect::Order(_, place)) if place.instance.id == "slices"));
}

#[test]
fn a_model_that_is_wanted_placed_otherwise_is_given_back_first_but_not_one_of_others() {
    let mut scene = Scene::with(&[MODEL]);
    scene.order(MODEL, "i");
    scene.placed = vec![("i", MODEL, "RunnerReady")];
    assert_eq!(scene.look(), []);
    scene.how.insert(MODEL.into(), How { least_macs: Some(2), ..How::default() });
    scene.desk.said(MODEL, true);
    scene.in_flight.insert(MODEL.into(), 1);
    assert_eq!(scene.look(), []);
    assert!(scene.desk.is_moving(MODEL));
    scene.in_flight.clear();
    assert_eq!(scene.look(), [Effect::Delete("i".into())]);
    scene.desk.deleted(&"i".into(), scene.now);
    scene.placed.clear();
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
    assert!(!scene.desk.is_moving(MODEL));

    let mut scene = Scene::with(&[MODEL]);
    scene.placed = vec![("theirs", MODEL, "RunnerReady")];
    scene.how.insert(MODEL.into(), How { least_macs: Some(2), ..How::default() });
    scene.desk.said(MODEL, true);
    assert_eq!(scene.look(), []);
    assert!(!scene.desk.is_moving(MODEL));
}

#[test]
fn a_model_may_stay_loaded_though_it_is_off() {
    let mut scene = Scene::with(&[MODEL]);
    scene.order(MODEL, "i");
    scene.placed = vec![("i", MODEL, "RunnerReady")];
    scene.look();
    scene.wanted.clear();
    scene.kept.insert(MODEL.into());
    assert_eq!(scene.look(), []);
    scene.kept.clear();
    assert_eq!(scene.look(), [Effect::Delete("i".into())]);
}

#[test]
fn a_wanted_model_is_placed_once_remembered_as_ours_and_given_back_when_it_is_not_wanted() {
    let mut scene = Scene::with(&[MODEL]);
    scene.order(MODEL, "i");
    assert_eq!(scene.look(), []);
    assert_eq!(scene.desk.stand(MODEL), Stand::Placing);
    assert!(scene.desk.ours().contains("i"));
    for word in ["RunnerIdle", "RunnerLoading", "RunnerWarmingUp", "RunnerReady"] {
        scene.placed = vec![("i", MODEL, word)];
        assert_eq!(scene.look(), [], "{word}");
    }
    scene.wanted.clear();
    scene.in_flight.insert(MODEL.into(), 1);
    assert_eq!(scene.look(), [], "a request runs on it");
    scene.in_flight.clear();
    assert_eq!(scene.look(), [Effect::Delete("i".into())]);
    assert_eq!(scene.look(), [], "asked once");
    scene.desk.deleted(&"i".into(), scene.now);
    assert_eq!(scene.look(), [], "exo takes a moment");
    scene.pass(10);
    assert_eq!(scene.look(), [Effect::Delete("i".into())], "exo still shows it");
    scene.desk.deleted(&"i".into(), scene.now);
    scene.placed.clear();
    assert_eq!(scene.look(), []);
    assert!(scene.desk.ours().is_empty() && !scene.desk.is_busy());
}

#[test]
fn a_request_that_never_ends_does_not_keep_the_memory_for_ever() {
    let mut scene = Scene::with(&[]);
    scene.desk = Desk::remembering(BTreeSet::from(["i".to_owned()]));
    scene.placed = vec![("i", MODEL, "RunnerRunning")];
    scene.in_flight.insert(MODEL.into(), 1);
    assert_eq!(scene.look(), []);
    assert_eq!(scene.desk.deadline(), Some(scene.now + LAST_REQUESTS));
    scene.pass(600);
    assert_eq!(scene.look(), [Effect::Delete("i".into())]);
}

#[test]
fn what_others_placed_is_never_deleted_and_is_served_as_it_is() {
    let mut scene = Scene::with(&[MODEL]);
    scene.placed = vec![("theirs", MODEL, "RunnerReady")];
    assert_eq!(scene.look(), []);
    scene.wanted.clear();
    assert_eq!(scene.look(), []);
}

#[test]
fn what_others_deleted_is_left_alone_until_a_person_wants_it() {
    let mut scene = Scene::with(&[MODEL]);
    scene.placed = vec![("i", MODEL, "RunnerReady")];
    scene.look();
    scene.placed.clear();
    assert_eq!(scene.look(), []);
    assert!(scene.desk.is_elsewhere(MODEL));
    assert_eq!(scene.desk.stand(MODEL), Stand::Elsewhere);
    scene.desk.said(MODEL, true);
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
}

#[test]
fn after_a_lost_leader_models_come_back_once_the_state_has_settled() {
    let mut scene = Scene::with(&[MODEL]);
    scene.placed = vec![("i", MODEL, "RunnerReady")];
    scene.look();
    // Everything is gone for a moment, as it is then.
    (scene.placed, scene.nodes, scene.moving_for) = (Vec::new(), BTreeSet::new(), None);
    assert_eq!(scene.look(), []);
    (scene.nodes, scene.moving_for) = (BTreeSet::from(["a".to_owned()]), Some(Duration::from_secs(1)));
    assert_eq!(scene.look(), []);
    assert_eq!(scene.desk.stand(MODEL), Stand::Waiting("exo to settle".into()));
    assert_eq!(scene.desk.deadline(), Some(scene.now + Duration::from_secs(29)));
    scene.nodes.insert("b".into());
    scene.pass(29);
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
}

#[test]
fn a_person_need_not_wait_until_it_has_settled_but_nothing_is_done_on_a_still_state() {
    let mut scene = Scene::with(&[MODEL]);
    scene.desk.said(MODEL, true);
    scene.moving_for = None;
    assert_eq!(scene.look(), []);
    scene.moving_for = Some(Duration::ZERO);
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
}

#[test]
fn one_model_is_placed_at_a_time() {
    let mut scene = Scene::with(&[MODEL, "other"]);
    scene.order(MODEL, "i");
    assert_eq!(scene.desk.stand("other"), Stand::Waiting(MODEL.into()));
    scene.placed = vec![("i", MODEL, "RunnerLoading")];
    assert_eq!(scene.look(), []);
    scene.placed = vec![("i", MODEL, "RunnerReady")];
    assert_eq!(scene.look(), [Effect::AskPlaces("other".into())]);
}

#[test]
fn no_place_is_said_and_tried_again_later_and_five_failures_stop_it() {
    let mut scene = Scene::with(&[MODEL]);
    for _ in 1..TRIES {
        assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
        assert_eq!(scene.offer_nothing(Err("no room".into())), None);
        assert_eq!(scene.desk.stand(MODEL), Stand::Failed("no room".into()));
        assert_eq!(scene.look(), []);
        scene.pass(60);
    }
    scene.look();
    scene.offer_nothing(Ok(Vec::new()));
    scene.pass(86_400);
    assert_eq!(scene.look(), []);
    assert_eq!(scene.desk.stand(MODEL), Stand::Failed("exo finds no place for it; tried 5 times".into()));
    scene.desk.nudge();
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
}

#[test]
fn an_order_that_comes_to_nothing_and_a_load_that_exo_gives_up_are_failures_with_their_reason() {
    let mut scene = Scene::with(&[MODEL]);
    scene.order(MODEL, "i");
    scene.pass(20);
    assert_eq!(scene.look(), []);
    assert_eq!(scene.desk.stand(MODEL), Stand::Failed("exo took the order, and nothing came of it".into()));
    scene.pass(60);
    scene.order(MODEL, "j");
    for word in ["RunnerLoading", "RunnerFailed", "RunnerLoading"] {
        scene.placed = vec![("j", MODEL, word)];
        scene.look();
    }
    scene.placed.clear();
    assert_eq!(scene.look(), []);
    assert_eq!(scene.desk.stand(MODEL), Stand::Failed("out of memory".into()));
}

#[test]
fn a_refused_order_is_not_ours() {
    let mut scene = Scene::with(&[MODEL]);
    scene.look();
    scene.offer(MODEL, "i");
    scene.desk.ordered(MODEL, Err("exo says: no".into()), scene.now);
    assert!(scene.desk.ours().is_empty());
    assert_eq!(scene.desk.stand(MODEL), Stand::Failed("exo says: no".into()));
}

#[test]
fn a_switch_while_exo_is_being_asked_neither_orders_twice_nor_what_is_not_wanted() {
    let mut scene = Scene::with(&[MODEL]);
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
    scene.desk.said(MODEL, false);
    scene.wanted.clear();
    assert_eq!(scene.look(), []);
    scene.desk.said(MODEL, true);
    scene.wanted = vec![MODEL.into()];
    assert_eq!(scene.look(), [], "the first question is still out");
    assert!(matches!(scene.offer(MODEL, "i"), Some(Effect::Order(..))));
    scene.desk.said(MODEL, false);
    scene.wanted.clear();
    scene.desk.ordered(MODEL, Ok(()), scene.now);
    assert_eq!(scene.look(), []);
    scene.placed = vec![("i", MODEL, "RunnerLoading")];
    assert_eq!(scene.look(), [Effect::Delete("i".into())]);
    assert!(scene.look().is_empty() && scene.desk.is_busy());
    scene.desk.said(MODEL, true);
    scene.wanted = vec![MODEL.into()];
    assert_eq!(scene.look(), [], "what is being deleted must be gone first");
    scene.desk.deleted(&"i".into(), scene.now);
    scene.placed.clear();
    assert_eq!(scene.look(), [Effect::AskPlaces(MODEL.into())]);
    let unwanted = (How::default(), &scene.nodes, false);
    assert_eq!(scene.desk.offered(MODEL, Ok(vec![place("j", 2, true)]), unwanted, |_| Ok(()), scene.now), None);
}

#[test]
fn of_two_of_ours_the_furthest_stays_and_one_of_others_is_never_surplus() {
    let mut scene = Scene::with(&[MODEL]);
    scene.desk = Desk::remembering(BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    scene.placed = vec![("a", MODEL, "RunnerReady"), ("b", MODEL, "RunnerLoading"), ("c", MODEL, "RunnerLoading")];
    assert_eq!(scene.look(), [Effect::Delete("b".into())]);
    scene.placed = vec![("a", MODEL, "RunnerLoading"), ("c", MODEL, "RunnerReady")];
    assert_eq!(scene.look(), [Effect::Delete("a".into())]);
}
