//! What the desk does, with an exo that is told here.

use std::cell::RefCell;

use serde_json::json;

use super::*;
use crate::exo::{Document, Input, Telling};
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
            now: Moment::after_start(Duration::from_secs(3_600)),
        }
    }

    fn look(&mut self) -> Vec<Effect> {
        let telling = RefCell::new(Telling::default());
        let tell = |document, body: serde_json::Value| {
            let now = Now::new(self.now, jiff::Timestamp::UNIX_EPOCH);
            telling.borrow_mut().on(Input::Told(document, Reply::answer(200, body.to_string())), now);
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
        };
        self.desk.look(&view, self.now)
    }

    fn offer(&mut self, model: &str, instance: &str) -> Option<Effect> {
        let place = Preview { id: instance.into(), macs: 2, rdma: true, tensor: true, body: json!({}) };
        self.desk.offered(model, Ok(vec![place]), self.now)
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
    scene.desk.deleted(&"i".into());
    assert_eq!(scene.look(), [Effect::Delete("i".into())], "exo still shows it");
    scene.desk.deleted(&"i".into());
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
        assert_eq!(scene.desk.offered(MODEL, Err("no room".into()), scene.now), None);
        assert_eq!(scene.desk.stand(MODEL), Stand::Failed("no room".into()));
        assert_eq!(scene.look(), []);
        scene.pass(60);
    }
    scene.look();
    scene.desk.offered(MODEL, Ok(Vec::new()), scene.now);
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
