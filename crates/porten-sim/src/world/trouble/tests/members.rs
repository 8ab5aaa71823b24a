//! Macs that go and come, and a master that is lost.

use super::*;
use crate::world::generation::{Event, Next};

/// A cluster of three with a model over the first two.
fn shared() -> (World, String) {
    let mut world = world("3x128");
    world.load(LARGE).unwrap();
    let instance = world.instance_of(LARGE).unwrap();
    let nodes = instance.assignments().node_to_runner.names();
    let last = nodes.filter(|node| *node != world.node_id()).last().unwrap();
    let name = world.member(last).unwrap().mac.name.clone();
    (world, name)
}

#[test]
fn a_mac_that_dies_loses_its_links_then_its_place_then_its_instances() {
    let (mut world, name) = shared();
    pass(&mut world, 10.0);
    order(&mut world, &format!("member-dies {name}"));
    let seen = stamp(&world, &name);
    pass(&mut world, 5.9);
    assert_eq!((stamp(&world, &name), edges(&world).len()), (seen, 6));
    pass(&mut world, 0.2);
    assert!(edges(&world).keys().all(|edge| !edge.ends_with(&format!("->{name}"))), "{:?}", edges(&world));
    pass(&mut world, 29.8);
    assert_eq!(topology(&world).len(), 3);
    pass(&mut world, 0.2);
    for section in ["lastSeen", "nodeMemory", "downloads", "nodeSystem"] {
        assert!(!names(&world, section).contains(&name), "{section}");
    }
    assert!(!topology(&world).contains(&name) && instances(&world) == 1);
    pass(&mut world, 9.8);
    assert_eq!(instances(&world), 1);
    pass(&mut world, 0.2);
    assert_eq!((instances(&world), runners(&world)), (0, vec!["RunnerReady".to_owned(); 2]));
    assert!(names(&world, "nodeIdentities").contains(&name) && names(&world, "nodeBackends").contains(&name));
}

#[test]
fn a_stream_on_a_dead_mac_is_silent_and_then_just_ends() {
    let (mut world, name) = shared();
    let [running, waiting] = [(); 2].map(|()| {
        let answer = crate::chat::answer::Answer::draw("a prompt", Some(50));
        world.ask(LARGE, true, answer, Value::Null).unwrap()
    });
    pass(&mut world, 0.3);
    assert!(!world.listen(&running).events.is_empty());
    order(&mut world, &format!("member-dies {name}"));
    world.listen(&running);
    pass(&mut world, 45.9);
    let silent = [&running, &waiting].map(|command| world.listen(command));
    assert!(silent.iter().all(|heard| heard.next == Next::Change), "{silent:?}");
    assert!(silent[0].events.is_empty() && runners(&world) == ["RunnerRunning"; 2]);
    pass(&mut world, 0.2);
    let end = world.listen(&running);
    assert_eq!((end.events.len(), end.next), (0, Next::Over));
}

#[test]
fn an_instance_that_was_loading_on_a_dead_mac_gets_no_further() {
    let mut world = world("3x128");
    let card = world.card(LARGE).unwrap();
    let placed = world.best_placement(&card).unwrap();
    world.create(placed);
    pass(&mut world, 3.0);
    let instance = world.instance_of(LARGE).unwrap();
    let last = instance.assignments().node_to_runner.names().last().unwrap();
    let name = world.member(last).unwrap().mac.name.clone();
    order(&mut world, &format!("member-dies {name} @4"));
    pass(&mut world, 20.0);
    assert!(runners(&world).iter().all(|tag| tag != "RunnerReady"), "{:?}", runners(&world));
    pass(&mut world, 40.0);
    assert_eq!(instances(&world), 0);
}

#[test]
fn an_instance_on_the_other_macs_goes_on_as_if_nothing_had_happened() {
    let mut world = world("3x128");
    world.load(SMALL).unwrap();
    let node = world.instance_of(SMALL).unwrap().assignments().node_to_runner.names().next().unwrap().to_owned();
    let own = world.member(&node).unwrap().mac.name.clone();
    let other = ["studio-2", "mbp-1"].into_iter().find(|name| *name != own).unwrap();
    order(&mut world, &format!("member-dies {other}"));
    for _ in 0..6 {
        let command = ask(&mut world, 5);
        pass(&mut world, 10.0);
        assert!(matches!(world.listen(&command).events.last(), Some(Event::Last { .. })));
        world.hang_up(&command);
    }
    assert_eq!(runners(&world), ["RunnerReady"]);
}

#[test]
fn a_mac_that_restarts_without_end_is_remembered_only_so_often() {
    let mut world = world("2x128");
    for _ in 0..200 {
        order(&mut world, "ghost studio-2");
        pass(&mut world, 7.0);
    }
    assert!(world.members.len() <= 70 && world.node_id() == world.members[0].node);
    pass(&mut world, 60.0);
    assert_eq!((topology(&world), edges(&world).len()), (vec!["studio-1".to_owned(), "studio-2".to_owned()], 2));
}

#[test]
fn nothing_is_placed_across_a_mac_that_is_not_reached_and_the_rest_still_serves() {
    let mut world = world("2x128");
    order(&mut world, "member-dies studio-2");
    pass(&mut world, 7.0);
    assert!(world.load(LARGE).is_err());
    world.load(SMALL).unwrap();
}

#[test]
fn a_mac_comes_back_as_another_node_with_its_files_and_its_links_come_later() {
    let mut world = world("2x128");
    world.load(LARGE).unwrap();
    let old = world.node_of("studio-2").unwrap();
    order(&mut world, "back studio-2");
    assert_eq!(world.node_of("studio-2").unwrap(), old, "it was never gone");
    order(&mut world, "member-dies studio-2");
    pass(&mut world, 60.0);
    order(&mut world, "back studio-2");
    assert_ne!(world.node_of("studio-2").unwrap(), old);
    assert_eq!((topology(&world), edges(&world).len()), (vec!["studio-1".to_owned(), "studio-2".to_owned()], 0));
    assert_eq!(names(&world, "nodeIdentities").len(), 3);
    pass(&mut world, 8.0);
    assert_eq!(edges(&world).len(), 2);
    assert!(of_mac(&world, "downloads", "studio-2").to_string().contains("DownloadCompleted"));
    world.load(LARGE).unwrap();
}

#[test]
fn a_mac_whose_exo_restarts_is_there_twice_for_half_a_minute() {
    let mut world = world("2x128");
    let old = world.node_of("studio-2").unwrap();
    order(&mut world, "ghost studio-2");
    assert_eq!(topology(&world).len(), 2);
    pass(&mut world, 6.1);
    assert_eq!(topology(&world), ["studio-1", "studio-2", "studio-2"]);
    pass(&mut world, 30.0);
    assert_eq!(topology(&world), ["studio-1", "studio-2"]);
    assert!(section(&world, "nodeIdentities")[&old]["friendlyName"] == "studio-2");
    assert!(edges(&world).len() == 2);
}

#[test]
fn a_lost_master_empties_the_state_and_takes_all_instances_with_it() {
    let (mut world, _) = shared();
    pass(&mut world, 3.0);
    let command = ask_large(&mut world);
    pass(&mut world, 0.3);
    order(&mut world, "master-lost");
    assert_eq!(instances(&world), 1, "for a moment it looks as before");
    pass(&mut world, 1.1);
    assert!(is_empty(&world.state()), "{:?}", world.state().topology);
    assert!(world.turn(crate::world::Turn::Command).is_some() && world.turn(crate::world::Turn::Look).is_none());
    pass(&mut world, 5.0);
    assert_eq!(world.turn(crate::world::Turn::Command), None);
    pass(&mut world, 1.0);
    assert_eq!((topology(&world).len(), instances(&world), edges(&world).len()), (3, 0, 0));
    assert!(runners(&world).is_empty() && world.state().last_event_applied_idx > 0);
    pass(&mut world, 300.0);
    world.listen(&command);
    assert_eq!(world.listen(&command).next, Next::Change, "nobody ends its stream");
    assert_eq!(edges(&world).len(), 6);
    world.load(LARGE).unwrap();
}

#[test]
fn a_lost_master_that_is_named_takes_its_mac_along_and_is_forgotten_until_it_returns() {
    let mut world = world("3x128");
    order(&mut world, "master-lost mbp-1");
    pass(&mut world, 8.0);
    assert_eq!(
        (topology(&world), names(&world, "nodeIdentities")),
        (vec!["studio-1".into(), "studio-2".into()], vec!["studio-1".into(), "studio-2".into()])
    );
    order(&mut world, "back mbp-1");
    assert_eq!(topology(&world).len(), 3);
}

#[test]
fn looking_late_sees_the_same_troubles_as_looking_often() {
    let [mut often, mut late] = [(); 2].map(|()| {
        let mut world = world("3x128");
        ring(&mut world, LARGE);
        for text in ["member-dies mbp-1 @3", "back mbp-1 @20", "ghost studio-2 @25", "load-fails 2 @0", "clock 5 @7"] {
            order(&mut world, text);
        }
        world
    });
    for _ in 0..800 {
        pass(&mut often, 0.1);
    }
    pass(&mut late, 80.0);
    let (often, late) = (serde_json::to_value(often.state()).unwrap(), serde_json::to_value(late.state()).unwrap());
    for (name, part) in often.as_object().unwrap() {
        assert_eq!(part, &late[name], "{name}");
    }
}

fn ask_large(world: &mut World) -> String {
    let answer = crate::chat::answer::Answer::draw("a prompt", Some(50));
    let command = world.ask(LARGE, true, answer, Value::Null).unwrap();
    assert!(!matches!(world.listen(&command).events.last(), Some(Event::Last { .. })));
    command
}
