//! Reading is total: whatever stands in a saved state, it is read without a panic and shows no more than the state holds.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const MACS: &str = include_str!("../../../../tests/recorded/exo-0.3.70/state_mac.json");

fn config() -> Config {
    crate::config::read(&BTreeMap::new(), None).unwrap()
}

fn one(state: &Value) -> Step {
    Replay::new(config(), false).step(0.0, state)
}

/// No more Macs than nodes in the topology, no more memory than the nodes have together.
fn assert_holds(step: &Step, state: &Value) {
    let nodes: BTreeSet<&str> =
        state["topology"]["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    assert!(step.cluster.members.len() <= nodes.len());
    let memory = state["nodeMemory"].as_object().into_iter().flatten();
    let installed: u128 = memory.filter_map(|(_, one)| one["ramTotal"]["inBytes"].as_u64()).map(u128::from).sum();
    let shown = |mib: Option<u64>| u128::from(mib.unwrap_or(0)) << 20;
    let memory = step.memory.memory;
    assert!(shown(memory.raw_mib) + shown(Some(memory.missing_mib)) <= installed);
    assert!(shown(memory.usable_mib) <= installed && shown(memory.schedulable_mib) <= installed);
    assert!(shown(Some(memory.advertised_mib)) <= installed);
    let members: u128 = step.cluster.members.iter().map(|member| shown(member.installed_mib)).sum();
    assert!(members <= installed);
}

/// Every place in a document, as a path.
fn places(value: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let mut todo = vec![(String::new(), value)];
    while let Some((path, value)) = todo.pop() {
        all.push(path.clone());
        match value {
            Value::Object(map) => todo.extend(
                map.iter().map(|(key, one)| (format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), one)),
            ),
            Value::Array(list) => todo.extend(list.iter().enumerate().map(|(n, one)| (format!("{path}/{n}"), one))),
            _ => {}
        }
    }
    all
}

#[derive(Debug, Clone)]
enum Change {
    Drop,
    Rename(String),
    Retype(Value),
    Wrap(String),
    Double,
}

fn change() -> impl Strategy<Value = Change> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!({ "inBytes": u64::MAX })),
        Just(json!({ "RunnerDreaming": { "of": ["sheep"] } })),
    ];
    prop_oneof![
        Just(Change::Drop),
        "[a-zA-Z]{1,12}".prop_map(Change::Rename),
        leaf.prop_map(Change::Retype),
        "[A-Z][a-z]{1,12}".prop_map(Change::Wrap),
        Just(Change::Double),
    ]
}

fn apply(document: &mut Value, path: &str, change: &Change) {
    let Some((parent, key)) = path.rsplit_once('/') else { return };
    let key = key.replace("~1", "/").replace("~0", "~");
    let Some(parent) = document.pointer_mut(parent) else { return };
    match (change, parent) {
        (Change::Drop, Value::Object(map)) => drop(map.remove(&key)),
        (Change::Rename(name), Value::Object(map)) => {
            if let Some(value) = map.remove(&key) {
                map.insert(name.clone(), value);
            }
        }
        (Change::Retype(value), Value::Object(map)) => drop(map.insert(key, value.clone())),
        (Change::Wrap(tag), Value::Object(map)) => {
            if let Some(value) = map.remove(&key) {
                map.insert(key, json!({ tag: value }));
            }
        }
        (Change::Double, Value::Array(list)) => {
            let twice = list.clone();
            list.extend(twice);
        }
        (Change::Retype(value), Value::Array(list)) => list.push(value.clone()),
        (Change::Drop, Value::Array(list)) => drop(list.pop()),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_changed_state_is_read_and_shows_no_more_than_it_holds(
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..24),
        seconds in prop::collection::vec(any::<f64>(), 1..3),
    ) {
        let mut state: Value = serde_json::from_str(MACS).unwrap();
        for (at, change) in &changes {
            let places = places(&state);
            let path = places[at.index(places.len())].clone();
            apply(&mut state, &path, change);
        }
        assert_holds(&one(&state), &state);
        let original: Value = serde_json::from_str(MACS).unwrap();
        let mut replay = Replay::new(config(), true);
        replay.step(0.0, &original);
        for t in seconds {
            let step = replay.step(t, &state);
            // While it may be history that is told, the last picture stays: the four Macs of the original.
            prop_assert!(step.cluster.members.len() <= state["topology"]["nodes"].as_array().map_or(4, Vec::len).max(4));
        }
    }
}

#[test]
fn ten_megabytes_of_nonsense_are_read() {
    let mut state: Value = serde_json::from_str(MACS).unwrap();
    for n in 0..90_000 {
        let id = format!("{n:032x}");
        state["topology"]["nodes"].as_array_mut().unwrap().push(id.clone().into());
        state["nodeMemory"][&id] = json!({ "ramTotal": { "inBytes": 1_u64 << 40 } });
        state["runners"][&id] = json!({ "RunnerDreaming": {} });
    }
    assert!(state.to_string().len() > 10_000_000);
    assert_holds(&one(&state), &state);
}

#[test]
fn four_macs_have_right_links_rdma_memory_and_warnings() {
    let step = one(&serde_json::from_str(MACS).unwrap());
    let mac = |name: &str| step.cluster.members.iter().find(|mac| mac.name == name).unwrap();
    let link = |from: &str, to: &str| mac(from).links.iter().find(|link| link.to == to).unwrap().kind;
    use crate::snapshot::LinkKind::{Ethernet, Rdma};
    assert_eq!(link("studio-1", "studio-2"), Some(Rdma));
    assert_eq!(link("mbp-max", "studio-2"), Some(Rdma));
    assert_eq!((link("studio-1", "mini-pro"), link("mini-pro", "mbp-max")), (Some(Ethernet), Some(Ethernet)));
    assert_eq!((mac("studio-1").rdma, mac("mini-pro").rdma), (Some(true), Some(false)));
    assert_eq!((mac("studio-1").thunderbolt_gbit_per_s, mac("mini-pro").thunderbolt_gbit_per_s), (Some(80), Some(40)));
    let memory = step.memory.memory;
    assert_eq!(memory.raw_mib, Some((512 + 512 + 128 + 64) * 1024));
    assert_eq!(memory.usable_mib, Some((512 + 512 + 128 + 64) * 768));
    // The two Studios hold slices of one model, and are alike; the others add up.
    assert_eq!(memory.schedulable_mib, memory.usable_mib);
    let said: Vec<(Code, &str)> = step.notices.iter().map(|notice| (notice.code, notice.subject.as_str())).collect();
    use crate::notice::Code::{BuildsDiffer, LimitAssumed, SlowLink, Thunderbolt4};
    for expected in [(BuildsDiffer, ""), (LimitAssumed, ""), (Thunderbolt4, "mini-pro")] {
        assert!(said.contains(&expected), "{said:?}");
    }
    assert!(!said.iter().any(|(code, subject)| *code == Code::RdmaOff && *subject == "mini-pro"));
    // GLM is laid over Ethernet between the two Studios, which have RDMA.
    assert!(said.contains(&(SlowLink, "mlx-community/GLM-4.7-4bit")), "{said:?}");
}
