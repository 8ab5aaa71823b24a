//! What `/state` shows while it does not show the truth.

use jiff::Timestamp;

use super::*;
use crate::world::Turn;
use crate::world::generation::Next;

#[test]
fn a_frozen_cluster_says_the_same_for_ever_and_chats_hang() {
    let mut world = world("2x128");
    world.load(SMALL).unwrap();
    let command = ask(&mut world, 20);
    pass(&mut world, 0.2);
    world.listen(&command);
    order(&mut world, "frozen");
    let before = serde_json::to_value(world.state()).unwrap();
    let later = ask(&mut world, 3);
    ring(&mut world, LARGE);
    let id = world.instance_of(SMALL).unwrap().id().to_owned();
    assert!(world.delete(&id), "it is taken with thanks");
    for _ in 0..100 {
        pass(&mut world, 1.0);
        assert_eq!(serde_json::to_value(world.state()).unwrap(), before);
        for command in [&command, &later] {
            let heard = world.listen(command);
            assert_eq!((heard.events.len(), heard.next), (0, Next::Change));
        }
    }
    order(&mut world, "thaw");
    pass(&mut world, 1.0);
    let after = serde_json::to_value(world.state()).unwrap();
    assert!(after["lastSeen"] != before["lastSeen"] && after["instances"] == before["instances"]);
    assert!(!world.listen(&command).events.is_empty() && !world.listen(&later).events.is_empty());
}

#[test]
fn one_that_joins_shows_itself_then_nothing_then_history_then_the_truth() {
    let mut world = world("3x128");
    world.load(LARGE).unwrap();
    let real = world.instance_of(LARGE).unwrap().id().to_owned();
    pass(&mut world, 100.0);
    order(&mut world, "replay 20");
    assert_eq!((topology(&world), instances(&world)), (vec!["studio-1".to_owned()], 0));
    assert!(world.instance_of(LARGE).is_none() && !world.delete(&real));
    pass(&mut world, 3.5);
    assert!(is_empty(&world.state()));
    let (mut stamps, mut phantoms, mut index) = (Vec::new(), Vec::new(), 0);
    pass(&mut world, 0.9);
    let began = world.now;
    for _ in 0..198 {
        let state = serde_json::to_value(world.state()).unwrap();
        assert!(state["lastEventAppliedIdx"].as_i64().unwrap() >= index);
        index = state["lastEventAppliedIdx"].as_i64().unwrap();
        let seen = stamp(&world, "studio-1").parse::<Timestamp>().unwrap();
        let age = world.stamp(world.now).0.duration_since(seen);
        assert!(age.as_secs() > 60, "{age:?}");
        stamps.push(seen);
        for (id, instance) in state["instances"].as_object().unwrap() {
            assert_ne!(*id, real);
            let assigned = instance["MlxRingInstance"]["shardAssignments"]["nodeToRunner"].as_object().unwrap();
            let runner = assigned.values().next().unwrap().as_str().unwrap();
            assert!(state["runners"][runner].get("RunnerReady").is_some(), "{state}");
            phantoms.push(id.clone());
        }
        pass(&mut world, 0.1);
    }
    assert!(stamps.is_sorted());
    stamps.dedup();
    phantoms.sort();
    phantoms.dedup();
    assert!((5..=20).contains(&stamps.len()) && phantoms.len() == 2, "{stamps:?} {phantoms:?}");
    let left = 21.0 - (world.now - began).as_secs_f64();
    pass(&mut world, left);
    assert_eq!((topology(&world).len(), instances(&world)), (3, 1));
    assert!(section(&world, "instances").get(&real).is_some());
}

#[test]
fn a_clock_that_is_off_moves_all_stamps_and_nothing_else() {
    let mut world = world("2x128");
    pass(&mut world, 5.0);
    let right = stamp(&world, "studio-1").parse::<Timestamp>().unwrap();
    for (text, seconds) in [("clock +90", 90), ("clock -3600.5", -3_600)] {
        order(&mut world, text);
        let off = stamp(&world, "studio-1").parse::<Timestamp>().unwrap();
        assert_eq!(off.duration_since(right).as_secs(), seconds);
    }
    order(&mut world, "clock 0");
    assert_eq!(stamp(&world, "studio-1").parse::<Timestamp>().unwrap(), right);
}

#[test]
fn a_phantom_has_no_runners_or_no_nodes_and_goes_when_it_is_deleted() {
    let mut world = world("2x128");
    order(&mut world, &format!("phantom {LARGE}"));
    pass(&mut world, 600.0);
    assert_eq!((instances(&world), runners(&world).len()), (1, 0));
    let command = world.ask(LARGE, true, crate::chat::answer::Answer::draw("x", None), Value::Null).unwrap();
    pass(&mut world, 600.0);
    assert_eq!(world.listen(&command).next, Next::Change, "it waits for ever");
    let id = world.instance_of(LARGE).unwrap().id().to_owned();
    assert!(world.delete(&id) && instances(&world) == 0);
    order(&mut world, "phantom nodes");
    let instance = section(&world, "instances").as_object().unwrap().values().next().unwrap().clone();
    let assigned = &instance["MlxRingInstance"]["shardAssignments"]["nodeToRunner"];
    let (node, runner) = assigned.as_object().unwrap().iter().next().unwrap();
    assert!(world.member(node).is_none());
    assert!(section(&world, "runners")[runner.as_str().unwrap()].get("RunnerReady").is_some());
}

#[test]
fn a_state_that_is_slow_holds_up_all_else_one_after_the_other() {
    let mut world = world("1x64");
    world.load(SMALL).unwrap();
    assert_eq!(world.turn(Turn::State), None);
    order(&mut world, "slow-state 300");
    let start = world.now;
    let command = ask(&mut world, 3);
    let after = |times: u32| Some(start + std::time::Duration::from_millis(300) * times);
    assert_eq!(world.turn(Turn::Look), None, "nobody has asked for a state");
    assert_eq!([world.turn(Turn::State), world.turn(Turn::State)], [after(1), after(2)]);
    assert_eq!([world.turn(Turn::Look), world.turn(Turn::Command)], [after(2), after(2)]);
    let heard = world.listen(&command);
    assert_eq!((heard.events.len(), heard.next), (0, Next::At(after(2).unwrap())));
    pass(&mut world, 0.7);
    assert!(world.turn(Turn::Look).is_none() && !world.listen(&command).events.is_empty());
    order(&mut world, "slow-state 0");
    assert_eq!(world.turn(Turn::State), None);
}
