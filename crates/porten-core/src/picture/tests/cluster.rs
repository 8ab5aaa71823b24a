//! exo's cluster: what blocks, what is awaited, and what a lost Mac, a frozen exo and one that replays its history come to.

use serde_json::{Value, json};

use super::*;
use crate::exo::{self, Document};
use crate::memory::BudgetOrigin;
use crate::reply::Reply;
use crate::snapshot::{Freshness, Headline, MemberState};

/// A second model of the Hub that the engine lists.
const OTHER: (&str, &str) = ("kimi", "org/Kimi");

/// A scene with exo and its Macs, which stamps once a second unless it stands still.
struct Exo {
    scene: Scene,
    documents: BTreeMap<&'static str, Value>,
    /// The leader's clock (seconds).
    second: i64,
}

impl Exo {
    /// Two Macs of 128 GB; `models` of them are wanted and listed, none is loaded.
    fn new(macs: &[&str], models: &[(&str, &str)]) -> Self {
        let mut scene = Scene::well();
        let wanted: Vec<Wanted> = models.iter().map(|(hub, _)| Wanted::read(hub).unwrap()).collect();
        let listed: Vec<EngineId> = models.iter().map(|(_, engine)| EngineId::read(engine).unwrap()).collect();
        scene.matched = crate::ids::match_wanted(&wanted, &listed);
        let url = config::EngineUrl::localhost(52415).unwrap();
        let sizes = models.iter().map(|(_, engine)| ((*engine).to_owned(), 154_624)).collect();
        let listing = Listing { kind: config::EngineKind::Exo, url, models: listed, sizes };
        scene.health = Health::default();
        scene.health.on(Input::Probed(Ok(listing)), scene.now);
        let mut exo = Self { scene, documents: BTreeMap::new(), second: 1_795_000_000 };
        exo.show(macs);
        exo.documents.insert("instances", json!({}));
        exo.pass(3);
        exo
    }

    /// These Macs are there, the first one answers.
    fn show(&mut self, macs: &[&str]) {
        let each = |value: Value| Value::Object(macs.iter().map(|mac| ((*mac).to_owned(), value.clone())).collect());
        let gib = |gib: u64| json!({ "inBytes": gib << 30 });
        let names = macs.iter().map(|mac| ((*mac).to_owned(), json!({ "friendlyName": mac }))).collect();
        self.documents.extend([
            ("node_id", json!(macs[0])),
            ("topology", json!({ "nodes": macs, "connections": {} })),
            ("identities", Value::Object(names)),
            ("memory", each(json!({ "ramTotal": gib(128), "ramAvailable": gib(100) }))),
            ("last_seen", each(Value::Null)),
        ]);
    }

    /// A model is placed on these Macs, and ready there.
    fn place(&mut self, engine: &str, macs: &[&str]) {
        let card = json!({ "modelId": engine, "storageSize": { "inBytes": 60_u64 << 30 }, "nLayers": 10 });
        let map = |value: &dyn Fn(&str) -> Value| -> Value {
            Value::Object(macs.iter().map(|mac| ((*mac).to_owned(), value(mac))).collect())
        };
        let assigned = json!({ "modelId": engine, "nodeToRunner": map(&|mac| json!(mac)),
            "runnerToShard": map(&|_| json!({ "TensorShardMetadata": { "modelCard": card } })) });
        let ready = map(&|_| json!({ "RunnerReady": {} }));
        self.documents.insert("instances", json!({ "i": { "MlxRingInstance": { "shardAssignments": assigned } } }));
        self.documents.insert("runners", ready);
    }

    fn tell(&mut self, document: Document, body: &Value) {
        let reply = Reply::answer(200, body.to_string());
        self.scene.telling.on(exo::Input::Told(exo::Answer::read(document, &reply)), self.scene.now);
    }

    /// exo is asked for its heartbeat, `seconds` after the last time; for all its documents, if it is not doubted.
    fn hear(&mut self, seconds: u64) -> Snapshot {
        self.scene.now += Duration::from_secs(seconds);
        let stamp = Timestamp::from_second(self.second).unwrap().to_string();
        let macs: Vec<String> = self.documents["last_seen"].as_object().unwrap().keys().cloned().collect();
        let beats = Value::Object(macs.into_iter().map(|mac| (mac, json!(stamp))).collect());
        self.tell(Document::LastSeen, &beats);
        for (document, key) in [
            (Document::NodeId, "node_id"),
            (Document::Topology, "topology"),
            (Document::Identities, "identities"),
            (Document::Memory, "memory"),
            (Document::Instances, "instances"),
            (Document::Runners, "runners"),
        ] {
            if let Some(body) = self.documents.get(key).cloned() {
                self.tell(document, &body);
            }
        }
        // What is gone is believed with the next heartbeat.
        self.tell(Document::LastSeen, &beats);
        self.draw()
    }

    /// The same, with the leader's clock running on.
    fn pass(&mut self, seconds: u64) -> Snapshot {
        self.second += i64::try_from(seconds).unwrap();
        self.hear(seconds)
    }

    fn draw(&mut self) -> Snapshot {
        let limits = Limits::default();
        let rooms = pool::rooms(&self.scene.telling, Wired { read_mib: None, limits: &limits }, self.scene.now);
        self.scene.memory = Some(budget(&rooms, None));
        self.scene.draw()
    }

    /// A model that is ready has generated.
    fn prove(&mut self, engine: &str) {
        let proof = Proof { routes: vec![Route::ChatCompletions], took: Duration::ZERO };
        self.scene.health.on(Input::Wanted(vec![engine.to_owned()]), self.scene.now);
        self.scene.health.on(Input::Proved(engine.into(), Ok(proof)), self.scene.now);
    }
}

fn head(snapshot: &Snapshot) -> (Overall, Option<(&str, Option<&Remedy>)>) {
    let headline = snapshot.headline.as_ref();
    (snapshot.overall.clone(), headline.map(|Headline { text, fix, .. }| (text.as_str(), fix.as_ref())))
}

fn states(snapshot: &Snapshot) -> Vec<(&str, MemberState)> {
    snapshot.cluster.iter().flat_map(|cluster| &cluster.members).map(|mac| (mac.name.as_str(), mac.state)).collect()
}

#[test]
fn a_model_larger_than_the_cluster_is_told_with_both_numbers() {
    let mut exo = Exo::new(&["mbp"], &[(HUB_ID, ENGINE_ID)]);
    exo.scene.desk = refused_desk(ENGINE_ID, "No cycles found with sufficient memory", exo.scene.now);
    let snapshot = exo.pass(3);
    let text = "deepseek-v4-flash needs 151 GB, this Mac holds 96";
    let fix = Remedy::TryAgain { model: HUB_ID.into() };
    assert_eq!(head(&snapshot), (Overall::NeedsYou, Some((text, Some(&fix)))));
    assert_eq!(snapshot.notices[0].title, text, "and so says the notice");
    exo.show(&["mbp", "mini"]);
    exo.pass(3);
    let snapshot = exo.pass(3);
    let titles: Vec<&str> = snapshot.notices.iter().map(|notice| notice.title.as_str()).collect();
    assert!(titles.contains(&"deepseek-v4-flash isn't loaded"), "it would fit by its size: {titles:?}");
}

/// A desk that asked for a place and was told that there is none.
fn refused_desk(engine: &str, why: &str, now: Now) -> Desk {
    let mut desk = Desk::default();
    desk.said(engine, true);
    let wanted = [engine.to_owned()];
    let (none, nodes) = (BTreeMap::new(), BTreeSet::new());
    let view = crate::desk::View {
        wanted: &wanted,
        instances: &[],
        nodes: &nodes,
        moving_for: Some(Duration::from_secs(60)),
        in_flight: &none,
        how: &BTreeMap::new(),
        kept: &BTreeSet::new(),
    };
    desk.look(&view, now.mono);
    desk.offered(engine, Err(why.to_owned()), (exo::How::default(), &nodes, true), |_| Ok(()), now.mono);
    desk
}

#[test]
fn a_model_that_serves_decides_the_face_and_another_is_a_notice() {
    let mut exo = Exo::new(&["mbp", "mini"], &[(HUB_ID, ENGINE_ID), OTHER]);
    exo.place(ENGINE_ID, &["mbp", "mini"]);
    exo.scene.desk = refused_desk(OTHER.1, "no room", exo.scene.now);
    exo.pass(3);
    exo.prove(ENGINE_ID);
    let snapshot = exo.pass(3);
    assert_eq!(codes(&snapshot), [Code::ModelUnplaced]);
    assert_eq!(snapshot.overall, Overall::Ready { models: 1, wanted: 2 });
    assert_eq!(snapshot.headline, None);
    exo.scene.traffic.in_flight = 1;
    assert_eq!(exo.pass(1).overall, Overall::Serving { requests: 1 });
}

#[test]
fn whoever_is_connected_reads_what_is_awaited_and_never_connecting() {
    let mut exo = Exo::new(&["mbp"], &[(HUB_ID, ENGINE_ID)]);
    exo.place(ENGINE_ID, &["mbp"]);
    for (runner, text) in [
        (json!({ "RunnerLoading": { "layersLoaded": 4, "totalLayers": 10 } }), "Loading deepseek-v4-flash 40%"),
        (json!({ "RunnerWarmingUp": {} }), "Warming up deepseek-v4-flash"),
    ] {
        exo.documents.insert("runners", json!({ "mbp": runner }));
        let snapshot = exo.pass(1);
        assert_eq!(head(&snapshot), (Overall::Pending, Some((text, None))));
    }
    exo.documents.insert("runners", json!({ "mbp": { "RunnerReady": {} } }));
    assert_eq!(exo.pass(1).headline.unwrap().text, "Testing deepseek-v4-flash");
    exo.prove(ENGINE_ID);
    exo.scene.standings.clear();
    assert_eq!(exo.pass(1).headline.unwrap().text, "Waiting for the Hub's word");
}

#[test]
fn every_model_off_is_a_wish_with_its_way_back() {
    let mut exo = Exo::new(&["mbp"], &[(HUB_ID, ENGINE_ID)]);
    exo.scene.off.insert(ModelId::read(HUB_ID).unwrap());
    let fix = Remedy::TurnOn { model: Some(HUB_ID.into()) };
    assert_eq!(head(&exo.pass(1)), (Overall::ModelsOff, Some(("Every model is off", Some(&fix)))));
    let mut exo = Exo::new(&["mbp"], &[(HUB_ID, ENGINE_ID), OTHER]);
    exo.scene.off.extend([HUB_ID, OTHER.0].map(|id| ModelId::read(id).unwrap()));
    let any = Remedy::TurnOn { model: None };
    assert_eq!(head(&exo.pass(1)), (Overall::ModelsOff, Some(("Every model is off", Some(&any)))));
}

#[test]
fn whether_an_unknown_architecture_fits_elsewhere_is_not_claimed() {
    let mut exo = Exo::new(&["mbp", "mini"], &[OTHER]);
    exo.place(OTHER.1, &["mbp", "mini"]);
    exo.pass(3);
    // The other Mac falls silent.
    exo.second += 10;
    let stamp = |second| Timestamp::from_second(second).unwrap().to_string();
    exo.scene.now += Duration::from_secs(10);
    let beats = json!({ "mbp": stamp(exo.second), "mini": stamp(exo.second - 10) });
    exo.tell(Document::LastSeen, &beats);
    let snapshot = exo.draw();
    let notice = snapshot.notices.iter().find(|notice| notice.code == Code::MemberLost).unwrap();
    assert!(!notice.text.contains("does not fit"), "{}", notice.text);
    assert!(notice.text.contains("is not known; Porten tries"), "{}", notice.text);
    assert_eq!(head(&snapshot).1.unwrap().0, "mini stopped responding");
}

#[test]
fn a_macs_name_is_never_capitalised() {
    let mut exo = Exo::new(&["mbp", "mini"], &[OTHER]);
    exo.documents.insert(
        "memory",
        json!({ "mbp": { "ramTotal": { "inBytes": 128_u64 << 30 }, "ramAvailable": { "inBytes": 1_u64 << 30 } } }),
    );
    exo.pass(3);
    let snapshot = exo.pass(30);
    let said = snapshot.notices.iter().find(|notice| notice.code == Code::MemoryPressure).unwrap();
    assert_eq!(said.text, "mbp has 1 GB of memory left.");
    let mut teller = crate::notify::Teller::default();
    teller.on(&[], Moment::START);
    let late = Moment::START + Duration::from_secs(60);
    teller.on(std::slice::from_ref(said), late);
    let wants = crate::notify::Wants { needs_you: true, cluster: true, models: true };
    let told = teller.tell(wants, late + Duration::from_secs(10)).unwrap();
    assert_eq!(told.text, "mbp has 1 GB of memory left. Quit other apps on mbp, or turn a model off.");
}

#[test]
fn a_frozen_exo_is_what_blocks_and_no_budget_would_help() {
    let mut exo = Exo::new(&["mbp", "mini"], &[(HUB_ID, ENGINE_ID)]);
    exo.place(ENGINE_ID, &["mbp", "mini"]);
    exo.pass(3);
    exo.prove(ENGINE_ID);
    assert!(matches!(exo.pass(3).overall, Overall::Ready { .. }));
    exo.hear(6);
    let snapshot = exo.hear(6);
    assert_eq!(head(&snapshot), (Overall::Blocked, Some(("exo isn't responding", Some(&Remedy::RestartExo)))));
    assert_eq!(codes(&snapshot), [Code::ClusterStale]);
    assert_eq!(snapshot.notices[0].title, "exo isn't responding");
    assert_eq!(snapshot.memory.memory.origin, BudgetOrigin::Unknown);
}

#[test]
fn an_exo_that_replays_keeps_the_last_picture_and_raises_nothing_else() {
    let macs = ["mbp", "mini", "studio"];
    let mut exo = Exo::new(&macs, &[(HUB_ID, ENGINE_ID)]);
    exo.place(ENGINE_ID, &macs);
    exo.pass(3);
    exo.prove(ENGINE_ID);
    exo.pass(3);
    let before = exo.pass(3);
    assert!(matches!(before.overall, Overall::Ready { .. }) && before.notices.is_empty(), "{before:#?}");
    let truth = exo.documents.clone();
    let as_before = |snapshot: &Snapshot| {
        assert_eq!(states(snapshot), states(&before));
        let held = |snapshot: &Snapshot| -> Vec<u64> {
            snapshot.cluster.iter().flat_map(|cluster| &cluster.members).map(|mac| mac.models_mib).collect()
        };
        assert_eq!(held(snapshot), held(&before));
        assert_eq!(snapshot.memory, before.memory);
        assert!(snapshot.cluster.as_ref().is_some_and(|cluster| cluster.absent.is_empty()));
        assert!(snapshot.models[0].wanted && snapshot.models[0].parts.len() == 3, "{:?}", snapshot.models);
        assert!(codes(snapshot).iter().all(|code| *code == Code::ClusterReplaying), "{:?}", codes(snapshot));
        assert_eq!(
            head(snapshot),
            (Overall::Pending, Some(("exo is replaying its history", Some(&Remedy::AwaitReplay))))
        );
    };
    // It shows itself alone, then nothing, then history, which is older than what was told.
    exo.show(&["mbp"]);
    exo.documents.insert("instances", json!({}));
    as_before(&exo.pass(3));
    exo.documents.insert("last_seen", json!({}));
    as_before(&exo.pass(2));
    exo.show(&["mbp"]);
    let now = exo.second;
    exo.second = now - 1_080;
    let first = exo.hear(2);
    assert_eq!(states(&first), states(&before), "one leap may be a clock that was set");
    for _ in 0..20 {
        exo.second += 50;
        as_before(&exo.hear(2));
    }
    exo.documents = truth;
    exo.second = now + 46;
    exo.hear(2);
    exo.pass(2);
    let after = exo.pass(3);
    assert_eq!(states(&after), states(&before));
    assert_eq!(after.cluster.as_ref().unwrap().freshness, Freshness::Fresh);
    assert!(matches!(after.overall, Overall::Ready { .. }));
}

#[test]
fn a_mac_that_left_keeps_its_size() {
    let mut exo = Exo::new(&["mbp", "mini", "studio"], &[(HUB_ID, ENGINE_ID)]);
    exo.pass(3);
    exo.show(&["mbp", "mini"]);
    exo.pass(3);
    let snapshot = exo.pass(3);
    let absent = snapshot.cluster.unwrap().absent;
    assert_eq!((absent[0].name.as_str(), absent[0].installed_mib), ("studio", Some(131_072)));
}
