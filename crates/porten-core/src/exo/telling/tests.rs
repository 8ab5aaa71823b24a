//! A cluster as it is told, and when it is believed.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::reply::Reply;
use crate::snapshot::LinkKind;

struct Exo {
    telling: Telling,
    now: Now,
    second: u64,
    still: bool,
    instances: Value,
}

impl Exo {
    fn start() -> Self {
        let now = Now::new(Moment::START, Timestamp::UNIX_EPOCH);
        Self { telling: Telling::default(), now, second: 0, still: false, instances: json!({}) }
    }

    fn answer(&self, document: Document) -> Value {
        let stamp = format!("2026-11-22T19:30:{:02}Z", self.second % 60);
        match document {
            Document::NodeId => json!("b"),
            Document::LastSeen => json!({ "a": stamp, "b": stamp }),
            Document::Topology => json!({ "nodes": ["a", "b"], "connections": {
                "a": { "b": [{ "sourceRdmaIface": "rdma_en3", "sinkRdmaIface": "rdma_en3" }] } } }),
            Document::Identities => json!({
                "a": { "friendlyName": "studio-1", "chipId": "Apple M3 Ultra", "modelId": "Mac Studio", "osVersion": "26.2" },
                "b": { "friendlyName": "studio-2", "chipId": "Unknown Chip" },
                "gone": { "friendlyName": "ghost" } }),
            Document::Memory => {
                let ram = json!({ "ramTotal": { "inBytes": 137_438_953_472_u64 }, "ramAvailable": { "inBytes": 64_424_509_440_u64 } });
                json!({ "a": ram, "b": ram })
            }
            Document::System => json!({ "a": { "gpuUsage": 0.424, "temp": 51.5, "sysPower": 143.2 } }),
            Document::Instances => self.instances.clone(),
            _ => json!({}),
        }
    }

    /// Something else is going on from now on.
    fn pace(&mut self, pace: Pace) -> Vec<Document> {
        let next = self.telling.on(Input::Pace(pace), self.now);
        self.answer_all(next)
    }

    fn answer_all(&mut self, mut next: Option<Document>) -> Vec<Document> {
        let mut asked = Vec::new();
        while let Some(document) = next {
            asked.push(document);
            let reply = Reply::answer(200, self.answer(document).to_string());
            next = self.telling.on(Input::Told(Answer::read(document, &reply)), self.now);
        }
        asked
    }

    fn state(&self, node: &str) -> MemberState {
        self.telling.member_state(self.telling.cluster().member(node).unwrap(), self.now)
    }

    /// Lets time pass; answers whatever is asked.
    fn run(&mut self, seconds: u64) -> Vec<Document> {
        let mut asked = Vec::new();
        for _ in 0..seconds {
            let next = self.telling.on(Input::Tick, self.now);
            asked.extend(self.answer_all(next));
            self.now += Duration::from_secs(1);
            self.second += u64::from(!self.still);
        }
        asked
    }
}

#[test]
fn the_first_look_tells_the_macs_with_their_links_and_never_asks_for_prompts() {
    let mut exo = Exo::start();
    assert_eq!(exo.telling.told(), Told::NotYet);
    exo.pace(Pace::Lively);
    let asked = exo.run(12);
    assert!(asked.iter().all(|document| !document.path().contains("task") && document.path() != "/state"));
    assert_eq!(exo.telling.told(), Told::Cluster);
    let members = &exo.telling.cluster().members;
    assert_eq!(
        members.iter().map(|member| member.name.as_deref().unwrap()).collect::<Vec<_>>(),
        ["studio-2", "studio-1"]
    );
    assert!(members[0].asked && members[0].chip.is_none());
    assert_eq!(members[1].links.get("b"), Some(&LinkKind::Rdma));
    assert_eq!((members[1].gpu_percent, members[1].gpu_celsius, members[1].watts), (Some(42), Some(52), Some(143)));
    assert_eq!(members.iter().map(|member| member.installed_mib).sum::<Option<u64>>(), Some(262_144));
    assert_eq!(exo.state("a"), MemberState::Online);
}

#[test]
fn what_stands_still_is_not_believed_and_must_move_anew_for_its_time_to_count() {
    let mut exo = Exo::start();
    exo.pace(Pace::Lively);
    exo.run(40);
    let moving = exo.telling.moving_for(exo.now).unwrap();
    assert!((Duration::from_secs(30)..=Duration::from_secs(40)).contains(&moving), "{moving:?}");
    exo.still = true;
    exo.run(15);
    assert!(matches!(exo.telling.freshness(exo.now), Freshness::Stale { .. }));
    assert!(matches!(exo.state("a"), MemberState::Late { .. }));
    assert_eq!(exo.telling.moving_for(exo.now), None);
    exo.still = false;
    exo.run(6);
    assert_eq!(exo.telling.freshness(exo.now), Freshness::Fresh);
    assert!(exo.telling.moving_for(exo.now).unwrap() < Duration::from_secs(7));
}

#[test]
fn what_nobody_looked_at_is_not_called_still_when_somebody_looks() {
    let mut exo = Exo::start();
    exo.run(120);
    assert_eq!(exo.telling.freshness(exo.now), Freshness::Fresh);
    exo.pace(Pace::Lively);
    exo.run(2);
    assert_eq!(exo.telling.freshness(exo.now), Freshness::Fresh);
}

#[test]
fn a_new_instance_has_its_runners_asked_for_next() {
    let mut exo = Exo::start();
    exo.pace(Pace::Loading);
    exo.run(20);
    exo.instances = json!({ "i": { "MlxRingInstance": { "shardAssignments": { "modelId": "m",
        "nodeToRunner": { "a": "r" }, "runnerToShard": { "r": { "PipelineShardMetadata": { "modelCard": {} } } } } } } });
    let asked = exo.run(8);
    let placed = asked.iter().position(|document| *document == Document::Instances).unwrap();
    assert!(asked[placed..].iter().take(3).any(|document| *document == Document::Runners), "{asked:?}");
    assert!(!exo.telling.is_ready("m", exo.now));
}

#[test]
fn an_exo_that_answers_no_documents_tells_nothing_but_a_lost_answer_decides_nothing() {
    let mut telling = Telling::default();
    let now = Exo::start().now;
    telling.on(Input::Told(Answer::read(Document::Instances, &Reply::Lost)), now);
    assert_eq!(telling.told(), Told::NotYet);
    telling.on(Input::Told(Answer::read(Document::Instances, &Reply::answer(404, "{}"))), now);
    assert_eq!(telling.told(), Told::Nothing);
    telling.on(Input::Told(Answer::read(Document::Instances, &Reply::answer(200, "{}"))), now);
    assert_eq!(telling.told(), Told::Cluster);
}

#[test]
fn no_document_can_spoil_the_picture() {
    let now = Exo::start().now;
    for nonsense in ["null", "[]", "7", "{\"a\":null,\"b\":[[]]}", "{\"nodes\":{\"a\":1},\"connections\":[1]}", "\"x\""]
    {
        let mut telling = Telling::default();
        for document in Document::ALL {
            telling.on(Input::Told(Answer::read(document, &Reply::answer(200, nonsense))), now);
        }
        assert!(telling.cluster().members.iter().all(|member| member.installed_mib.is_none()), "{nonsense}");
    }
}
