//! Loads, downloads, answers, and somebody else at the dashboard.

use super::*;
use crate::chat::answer::Answer;
use crate::world::generation::{Event, Next};

/// What `/state` shows of the only instance's runner, each word once, until it is ready or gone.
fn life(world: &mut World) -> (Vec<String>, f64) {
    let mut words: Vec<String> = Vec::new();
    let mut seconds = 0.0;
    while seconds < 200.0 {
        pass(world, 0.05);
        seconds += 0.05;
        let word = runners(world).first().cloned().unwrap_or_default();
        if words.last() != Some(&word) {
            words.push(word.clone());
        }
        let is_gone = instances(world) == 0 && seconds > 1.0;
        if word == "RunnerReady" || is_gone {
            break;
        }
    }
    (words, seconds)
}

#[test]
fn loads_that_fail_are_tried_again_and_succeed_at_last() {
    let mut world = world("1x64");
    order(&mut world, "load-fails 2");
    ring(&mut world, SMALL);
    let (words, _) = life(&mut world);
    let tried = ["RunnerIdle", "RunnerLoading", "RunnerFailed"];
    let expected: Vec<&str> = [""]
        .into_iter()
        .chain(tried)
        .chain(tried)
        .chain(["RunnerIdle", "RunnerLoading", "RunnerLoaded", "RunnerWarmingUp", "RunnerReady"])
        .collect();
    assert_eq!(words, expected);
}

#[test]
fn after_the_fifth_failure_exo_deletes_the_instance_and_its_runner_stays_failed() {
    let mut world = world("1x64");
    order(&mut world, "load-fails");
    ring(&mut world, SMALL);
    let (words, seconds) = life(&mut world);
    assert_eq!(words.iter().filter(|word| *word == "RunnerFailed").count(), 5);
    assert!((20.0..82.0).contains(&seconds), "{seconds}");
    pass(&mut world, 60.0);
    assert_eq!((instances(&world), runners(&world)), (0, vec!["RunnerFailed".to_owned()]));
    let said = section(&world, "runners").to_string();
    assert!(said.contains(r#""errorMessage":"Terminated (exitcode=1\nRunner error: "#), "{said}");
    ring(&mut world, SMALL);
    pass(&mut world, 5.0);
    assert!(runners(&world).contains(&"RunnerReady".to_owned()), "only five were to fail");
}

#[test]
fn a_download_that_stalls_makes_no_progress_until_it_goes_on() {
    let mut world = world("1x64");
    ring(&mut world, SMALL);
    pass(&mut world, 1.5);
    order(&mut world, "download-stalls studio-1");
    let bytes = |world: &World| {
        let entries = of_mac(world, "downloads", "studio-1");
        let ongoing = entries.as_array().unwrap().iter().find_map(|entry| entry.get("DownloadOngoing"));
        ongoing.map(|ongoing| ongoing["downloadProgress"]["downloaded"]["inBytes"].as_u64().unwrap())
    };
    let before = bytes(&world).unwrap();
    pass(&mut world, 300.0);
    assert_eq!(bytes(&world), Some(before));
    assert!(before > 0 && runners(&world).is_empty());
    order(&mut world, "download-goes-on studio-1");
    pass(&mut world, 0.2);
    assert!(bytes(&world).unwrap() > before);
    pass(&mut world, 6.0);
    assert_eq!(runners(&world), ["RunnerReady"]);
}

#[test]
fn one_that_begins_while_they_stall_brings_nothing() {
    let mut world = world("1x64");
    order(&mut world, "download-stalls studio-1");
    ring(&mut world, SMALL);
    pass(&mut world, 60.0);
    assert!(!world.is_downloaded(SMALL));
}

#[test]
fn a_full_disk_fails_downloads_which_are_tried_again_each_minute() {
    let mut world = world("1x64");
    order(&mut world, "disk-full studio-1");
    ring(&mut world, SMALL);
    let said = |world: &World| {
        let entries = of_mac(world, "downloads", "studio-1");
        let failed = entries.as_array().unwrap().iter().find_map(|entry| entry.get("DownloadFailed"));
        failed.map(|failed| failed["errorMessage"].as_str().unwrap().to_owned())
    };
    for _ in 0..20 {
        pass(&mut world, 10.0);
        assert!(said(&world).unwrap().contains("No space left"));
    }
    order(&mut world, "well");
    pass(&mut world, 66.0);
    assert_eq!((said(&world), runners(&world)), (None, vec!["RunnerReady".to_owned()]));
}

fn events(world: &mut World, is_stream: bool) -> Vec<Event> {
    let command = world.ask(SMALL, is_stream, Answer::draw("a prompt", Some(20)), Value::Null).unwrap();
    pass(world, 5.0);
    let heard = world.listen(&command);
    assert_eq!(heard.next, Next::Over);
    world.hang_up(&command);
    heard.events
}

#[test]
fn the_next_document_is_empty_and_the_next_stream_is_cut_and_then_all_is_well() {
    let mut world = world("1x64");
    world.load(SMALL).unwrap();
    order(&mut world, "empty-200");
    order(&mut world, "cut-stream");
    let is_token = |event: &Event| matches!(event, Event::Token(_));
    let is_whole = |events: &[Event]| matches!(events.last(), Some(Event::Last { .. }));
    let cut = events(&mut world, true);
    assert!(cut.iter().filter(|event| is_token(event)).count() == 4 && !is_whole(&cut), "{cut:?}");
    assert!(!events(&mut world, false).iter().any(is_token));
    assert!([true, false].iter().all(|is_stream| is_whole(&events(&mut world, *is_stream))));
}

#[test]
fn a_model_that_cannot_generate_is_ready_and_fails_every_chat() {
    let mut world = world("1x64");
    world.load(SMALL).unwrap();
    order(&mut world, &format!("cannot-generate {SMALL}"));
    for is_stream in [true, false, true] {
        assert!(matches!(events(&mut world, is_stream).last(), Some(Event::Failed(_))));
        assert_eq!(runners(&world), ["RunnerReady"]);
    }
}

#[test]
fn somebody_else_places_a_model_and_deletes_it() {
    let mut world = world("2x128");
    order(&mut world, &format!("someone-places {LARGE}"));
    order(&mut world, &format!("someone-deletes {LARGE} @10"));
    pass(&mut world, 9.0);
    assert_eq!(runners(&world), ["RunnerReady"; 2]);
    let command = {
        let answer = Answer::draw("a prompt", Some(900));
        world.ask(LARGE, true, answer, Value::Null).unwrap()
    };
    pass(&mut world, 1.5);
    assert_eq!((instances(&world), runners(&world)), (0, vec!["RunnerShuttingDown".to_owned(); 2]));
    assert_eq!(world.listen(&command).next, Next::Over);
    order(&mut world, &format!("someone-deletes {LARGE}"));
    assert_eq!(instances(&world), 0, "there is none, and nothing happens");
}
