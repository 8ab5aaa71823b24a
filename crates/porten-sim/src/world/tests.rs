//! Whole lives of a cluster, without a clock or a socket.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Calendar, Event, Next, Wish, World};
use crate::chat::answer::Answer;
use crate::chat::ask::Ask;
use crate::documents::card;
use crate::documents::instance::{Meta, ShardMetadata, Sharding};
use crate::macs;

#[path = "../../tests/common/shape.rs"]
mod shape;

/// States that exo's source has and no recording: the recorded node had nobody to connect to.
const NOT_RECORDED: [&str; 2] = ["/RunnerConnecting", "/RunnerConnected"];
pub(super) const SMALL: &str = "mlx-community/Llama-3.2-1B-Instruct-4bit";
pub(super) const LARGE: &str = "mlx-community/DeepSeek-V4-Flash";

pub(super) fn world(cluster: &str) -> World {
    let calendar = Calendar { epoch: Timestamp::UNIX_EPOCH, speed: 1.0 };
    World::new(card::built_in().unwrap(), &macs::read(cluster).unwrap(), 52415, calendar, 7)
}

pub(super) fn place(world: &mut World, model: &str, sharding: Sharding, meta: Meta, min_nodes: usize) {
    let card = world.card(model).unwrap();
    world.place(&Wish { card, sharding, meta, min_nodes, required: Vec::new() });
}

pub(super) fn ring(world: &mut World, model: &str) {
    place(world, model, Sharding::Pipeline, Meta::MlxRing, 1);
}

/// Passes the time.
pub(super) fn pass(world: &mut World, seconds: f64) {
    world.advance(world.now + Duration::from_secs_f64(seconds));
}

pub(super) fn ask(world: &mut World, tokens: u32) -> String {
    world.ask(SMALL, true, Answer::draw("a prompt", Some(tokens)), json!({"input": "a prompt"})).unwrap()
}

pub(super) fn section(world: &World, name: &str) -> Value {
    world.state().section(name).unwrap()
}

/// The tags of all runners.
pub(super) fn runners(world: &World) -> Vec<String> {
    let runners = section(world, "runners");
    runners
        .as_object()
        .unwrap()
        .values()
        .map(|runner| runner.as_object().unwrap().keys().next().unwrap().clone())
        .collect()
}

pub(super) fn instance_of(world: &World, model: &str) -> String {
    world.instance_of(model).unwrap().id().to_owned()
}

fn recorded() -> Vec<Value> {
    let read = |name: &str| {
        let path = format!("{}/../../tests/recorded/exo-0.3.70/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    };
    let whole = ["state_idle.json", "state_ready.json", "state_cluster.json", "state_mac.json"].map(read);
    let lives = ["states_run.jsonl", "states_download.jsonl"].map(read);
    let lines = lives.iter().flat_map(|life| life.lines());
    whole.iter().map(String::as_str).chain(lines).map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[test]
fn all_that_exos_states_show_is_shown_and_nothing_else() {
    let mut world = world("2x128");
    let mut states = vec![serde_json::to_value(world.state()).unwrap()];
    let mut look = |world: &mut World, until: f64| {
        while world.now.as_secs_f64() < until {
            pass(world, 0.08);
            states.push(serde_json::to_value(world.state()).unwrap());
        }
    };
    place(&mut world, LARGE, Sharding::Tensor, Meta::MlxJaccl, 1);
    place(&mut world, SMALL, Sharding::Pipeline, Meta::MlxRing, 2);
    look(&mut world, 1.0);
    let params = json!({
        "model": SMALL, "messages": [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "x"}],
        "max_tokens": 20, "temperature": 0.7, "seed": 1,
    });
    let asked = Ask::chat(&params).unwrap();
    let [done, cancelled] = [(); 2].map(|()| world.ask(SMALL, false, asked.answer(), asked.task_params()).unwrap());
    look(&mut world, 5.2);
    world.cancel(&cancelled);
    look(&mut world, 6.5);
    world.hang_up(&done);
    for model in [SMALL, LARGE] {
        let id = instance_of(&world, model);
        assert!(world.delete(&id));
    }
    look(&mut world, 7.0);
    let (recorded, shown) = (shape::Shape::of(&recorded()), shape::Shape::of(&states));
    let strange = shown.beyond(&recorded);
    let strange: Vec<_> =
        strange.iter().filter(|said| !NOT_RECORDED.iter().any(|known| said.contains(known))).collect();
    assert!(strange.is_empty(), "not in exo's states: {strange:#?}");
    let missing = recorded.beyond(&shown);
    assert!(missing.is_empty(), "not in ours: {missing:#?}");
}

#[test]
fn a_model_is_ready_after_about_five_seconds_and_at_once_where_its_files_are() {
    let mut world = world("1x64");
    ring(&mut world, SMALL);
    assert!(world.instance_of(SMALL).is_none(), "the master takes a moment");
    pass(&mut world, 4.0);
    assert_eq!(runners(&world), ["RunnerLoading"]);
    pass(&mut world, 1.5);
    assert_eq!(runners(&world), ["RunnerReady"]);
    ring(&mut world, SMALL);
    pass(&mut world, 3.4);
    assert_eq!(runners(&world), ["RunnerReady"; 2]);
}

#[test]
fn looking_late_sees_the_same_as_looking_often() {
    let (mut often, mut late) = (world("3x128"), world("3x128"));
    for world in [&mut often, &mut late] {
        place(world, LARGE, Sharding::Tensor, Meta::MlxJaccl, 1);
    }
    for _ in 0..700 {
        pass(&mut often, 0.01);
    }
    pass(&mut late, 7.0);
    assert_eq!(serde_json::to_value(often.state()).unwrap(), serde_json::to_value(late.state()).unwrap());
}

#[test]
fn weights_take_free_memory_as_they_are_loaded_and_give_it_back() {
    let mut world = world("2x128");
    let card = world.card(LARGE).unwrap();
    let before = world.free();
    place(&mut world, LARGE, Sharding::Tensor, Meta::MlxJaccl, 1);
    pass(&mut world, 2.2);
    // What macOS itself uses goes up and down by less than this.
    let swell = 512 * 1024 * 1024;
    assert!(world.free().abs_diff(before) < swell, "nothing is loaded yet, and nothing is reserved");
    pass(&mut world, 3.0);
    assert!((world.free() + card.bytes()).abs_diff(before) < swell);
    let id = instance_of(&world, LARGE);
    world.delete(&id);
    assert!(world.free().abs_diff(before) < swell);
    assert_eq!(runners(&world), ["RunnerShuttingDown"; 2]);
}

#[test]
fn eight_requests_run_at_a_time_and_the_others_wait_their_turn() {
    let mut world = world("1x64");
    world.load(SMALL).unwrap();
    let commands: Vec<String> = (0..10).map(|_| ask(&mut world, 3)).collect();
    pass(&mut world, 0.15);
    let told: Vec<usize> = commands.iter().map(|command| world.listen(command).events.len()).collect();
    assert!(told[..8].iter().all(|told| *told > 0) && told[8..] == [0, 0], "{told:?}");
    assert_eq!(runners(&world), ["RunnerRunning"]);
    pass(&mut world, 1.0);
    let last = world.listen(&commands[9]);
    assert!(matches!(last.events.last(), Some(Event::Last { .. })) && last.next == Next::Over);
    assert_eq!(runners(&world), ["RunnerReady"]);
}

#[test]
fn a_request_waits_for_layers_and_is_cut_with_its_instance() {
    let mut world = world("1x64");
    ring(&mut world, SMALL);
    pass(&mut world, 1.0);
    let command = ask(&mut world, 100);
    assert_eq!(world.listen(&command).next, Next::Change);
    pass(&mut world, 5.0);
    assert!(!world.listen(&command).events.is_empty());
    let id = instance_of(&world, SMALL);
    world.delete(&id);
    let end = world.listen(&command);
    assert_eq!((end.events.len(), end.next), (0, Next::Over));
    assert!(!world.cancel(&command), "it is over already");
}

#[test]
fn a_client_that_leaves_frees_its_place_and_a_finished_request_leaves_no_prompt() {
    let mut world = world("1x64");
    world.load(SMALL).unwrap();
    let (leaving, staying) = (ask(&mut world, 50), ask(&mut world, 2));
    world.hang_up(&leaving);
    pass(&mut world, 1.0);
    world.listen(&staying);
    world.hang_up(&staying);
    let tasks = section(&world, "tasks");
    let statuses: Vec<&Value> =
        tasks.as_object().unwrap().values().filter_map(|task| task.get("TextGeneration")).collect();
    // Of the cancelled one exo keeps everything.
    assert!(statuses.len() == 1 && statuses[0]["taskStatus"] == "Cancelled", "{statuses:?}");
    assert_eq!(runners(&world), ["RunnerReady"]);
}

#[test]
fn requests_go_to_the_less_busy_of_two_instances() {
    let mut world = world("1x64");
    world.load(SMALL).unwrap();
    world.load(SMALL).unwrap();
    for _ in 0..2 {
        ask(&mut world, 20);
    }
    assert_eq!(runners(&world), ["RunnerRunning"; 2]);
}

#[test]
fn a_download_that_is_cancelled_keeps_what_it_has_and_a_waiting_instance_takes_it_up() {
    let mut world = world("1x64");
    let node = world.node_id().to_owned();
    let shard = ShardMetadata::whole(&world.card(SMALL).unwrap());
    world.start_download(&node, &shard);
    pass(&mut world, 1.0);
    world.cancel_download(&node, SMALL);
    pass(&mut world, 5.0);
    assert!(!world.is_downloaded(SMALL));
    let entry = section(&world, "downloads")[&node].as_array().unwrap().iter().find_map(|entry| {
        let pending = entry.get("DownloadPending")?;
        (pending["downloaded"]["inBytes"].as_u64()? > 0).then(|| pending.clone())
    });
    assert_eq!(entry.unwrap()["shardMetadata"]["PipelineShardMetadata"]["modelCard"]["modelId"], SMALL);
    ring(&mut world, SMALL);
    pass(&mut world, 1.0);
    world.cancel_download(&node, SMALL);
    pass(&mut world, 5.0);
    assert!(world.is_downloaded(SMALL) && runners(&world) == ["RunnerReady"]);
    world.delete_download(&node, SMALL);
    assert!(!world.is_downloaded(SMALL));
}

#[test]
fn the_index_and_the_stamps_never_go_back_and_move_every_second() {
    let mut world = world("3x128");
    ring(&mut world, SMALL);
    let mut last = (0, String::new());
    for _ in 0..30 {
        pass(&mut world, 1.0);
        let state = world.state();
        let stamp = serde_json::to_string(&state.last_seen).unwrap();
        assert!(state.last_event_applied_idx > last.0 && stamp != last.1, "{last:?}");
        last = (state.last_event_applied_idx, stamp);
    }
}

#[test]
fn an_instance_that_is_sent_in_twice_is_there_once() {
    let mut world = world("1x64");
    let card = world.card(SMALL).unwrap();
    let wish = Wish { card, sharding: Sharding::Pipeline, meta: Meta::MlxRing, min_nodes: 1, required: Vec::new() };
    let instance = world.placement(&wish).unwrap();
    world.create(instance.clone());
    world.create(instance.clone());
    pass(&mut world, 6.0);
    assert_eq!(runners(&world), ["RunnerReady"]);
    assert_eq!(world.instance(instance.id()).map(Arc::as_ref), Some(&instance));
}
