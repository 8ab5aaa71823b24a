//! The same events as in two recordings of a real cluster, and the same timeline.

use std::collections::BTreeSet;

use super::*;

/// How far a moment may be from the recorded one (seconds): exo looks every few seconds, and was asked five times a second.
const TOLERANCE: f64 = 1.5;
/// Pace of our own looking (seconds).
const STEP: f64 = 0.1;

fn recorded(name: &str) -> Vec<Value> {
    let path = format!("{}/../../tests/recorded/exo-0.3.70/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_node<'a>(lines: &'a [Value], node: &'a str) -> impl Iterator<Item = &'a Value> {
    lines.iter().filter(move |line| line["node"] == node && line["answers"] == true)
}

fn texts(value: &Value) -> BTreeSet<String> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// What the recorded digest says of a state, of the simulated one.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Digest {
    topology: BTreeSet<String>,
    last_seen: BTreeSet<String>,
    memory: BTreeSet<String>,
    downloads: BTreeSet<String>,
    edges: BTreeSet<String>,
    instances: usize,
    runners: Vec<String>,
}

impl Digest {
    fn of(world: &World) -> Self {
        let set = |name: &str| names(world, name).into_iter().collect();
        let mut runners = runners(world);
        runners.sort();
        Self {
            topology: topology(world).into_iter().collect(),
            last_seen: set("lastSeen"),
            memory: set("nodeMemory"),
            downloads: set("downloads"),
            edges: edges(world).into_keys().collect(),
            instances: instances(world),
            runners,
        }
    }

    /// `/state` as it was written down. Runners of instances before are left out: they are no part of the event.
    fn read(line: &Value, runners: &[&str]) -> Self {
        let edges = texts(&line["edges"]).into_iter();
        let runners = runners.iter().map(|id| line["runners"][id].as_str().unwrap().to_owned());
        Self {
            topology: texts(&line["topologyNodes"]),
            last_seen: texts(&line["lastSeen"]),
            memory: texts(&line["nodeMemory"]),
            downloads: line["dl"].as_object().unwrap().keys().cloned().collect(),
            edges: edges.map(|edge| edge.rsplit_once('x').unwrap().0.to_owned()).collect(),
            instances: line["instances"].as_object().unwrap().len(),
            runners: runners.collect(),
        }
    }
}

/// The first words without those that repeat.
fn each_once(timeline: Vec<(f64, Digest)>) -> Vec<(f64, Digest)> {
    let mut timeline = timeline;
    timeline.dedup_by(|next, last| next.1 == last.1);
    timeline
}

#[test]
fn a_killed_node_goes_as_the_recorded_one_went() {
    let lines = recorded("digests_member_dies.jsonl");
    let killed = lines.iter().find(|line| line["answers"] == false).unwrap()["t"].as_f64().unwrap();
    let after = of_node(&lines, "mac-node-1").filter(|line| line["t"].as_f64().unwrap() > 1.6);
    let after = after.map(|line| {
        let since = line["t"].as_f64().unwrap() - killed;
        (since.max(0.0), Digest::read(line, &["7f38da", "355bfb"]))
    });
    let real = each_once(after.collect());

    let mut world = world("mac-node-1:128,mac-node-2:128");
    world.load(LARGE).unwrap();
    let answer = crate::chat::answer::Answer::draw("a prompt", None);
    let command = world.ask(LARGE, true, answer, Value::Null).unwrap();
    pass(&mut world, 0.5);
    world.listen(&command);
    order(&mut world, "member-dies mac-node-2");
    let mut ours = Vec::new();
    let mut ended = None;
    for step in 0..600 {
        let since = f64::from(step) * STEP;
        ours.push((since, Digest::of(&world)));
        if world.listen(&command).next == crate::world::Next::Over {
            ended.get_or_insert(since);
        }
        pass(&mut world, STEP);
    }
    let ours = each_once(ours);
    assert_eq!(ours.len(), real.len(), "{ours:#?}\n{real:#?}");
    for ((our_time, our), (real_time, real)) in ours.iter().zip(&real) {
        assert_eq!(our, real, "{our_time} s and {real_time} s after");
        assert!((our_time - real_time).abs() <= TOLERANCE, "{our_time} s, but {real_time} s: {our:?}");
    }
    let instances_went = ours.last().unwrap().0;
    assert_eq!(ended, Some(instances_went), "the stream ends with its instance");
    let identities = &of_node(&lines, "mac-node-1").last().unwrap()["nodeIdentities"];
    assert!(texts(identities).contains("mac-node-2") && names(&world, "nodeIdentities").contains(&"mac-node-2".into()));
}

/// What a node that joins shows.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Sight {
    Alone,
    Empty,
    /// Fewer nodes than there are, or an instance that there is no more.
    Past,
    Truth,
}

fn sight(node: &str, all: usize, nodes: &BTreeSet<String>, has_phantom: bool) -> Sight {
    match nodes.len() {
        0 => Sight::Empty,
        1 if nodes.contains(node) && !has_phantom && all > 1 => Sight::Alone,
        seen if seen < all || has_phantom => Sight::Past,
        _ => Sight::Truth,
    }
}

#[test]
fn a_node_that_joins_sees_what_the_recorded_ones_saw_in_the_same_order() {
    let lines = recorded("digests_join.jsonl");
    let mut recorded_order = Vec::new();
    for (node, all) in [("mac-node-2", 2), ("mac-node-3", 3)] {
        // What others joined later is another story.
        let own = of_node(&lines, node).take_while(|line| line["topologyNodes"].as_array().unwrap().len() <= all);
        let seen = own.map(|line| {
            let digest = Digest::read(line, &[]);
            (line["t"].as_f64().unwrap(), sight(node, all, &digest.topology, digest.instances > 0))
        });
        let mut seen: Vec<_> = seen.collect();
        seen.dedup_by_key(|(_, sight)| *sight);
        let alone = seen[1].0 - seen[0].0;
        assert!((alone - crate::world::pace::ALONE.as_secs_f64()).abs() <= 0.5, "{node} was alone for {alone} s");
        recorded_order.push(seen.into_iter().map(|(_, sight)| sight).collect::<Vec<_>>());
    }

    // The simulated node that answers is the one that joins, so the truth has another node first.
    let mut world = world("mac-node-3:128,mac-node-1:128,mac-node-2:128");
    pass(&mut world, 30.0);
    order(&mut world, "replay 4");
    let mut ours = Vec::new();
    let mut began_past = false;
    for _ in 0..150 {
        let nodes: BTreeSet<String> = topology(&world).into_iter().collect();
        let is_past = instances(&world) > 0 || (began_past && nodes.len() < 3);
        ours.push(sight("mac-node-3", 3, &nodes, is_past));
        began_past |= ours.last() == Some(&Sight::Empty);
        pass(&mut world, STEP);
    }
    ours.dedup();
    assert_eq!(ours, [Sight::Alone, Sight::Empty, Sight::Past, Sight::Truth]);
    assert!(recorded_order.iter().all(|order| *order == ours), "{recorded_order:?}");
}
