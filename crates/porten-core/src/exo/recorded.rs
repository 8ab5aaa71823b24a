//! The readers held against what a real exo said (tests/recorded/README.md says when and how).

use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::reply::Reply;
use crate::snapshot::LinkKind;
use crate::time::{Moment, Now};

const NOW: Now = Now::new(Moment::START, Timestamp::UNIX_EPOCH);

macro_rules! recorded {
    ($file:literal) => {
        include_str!(concat!("../../../../tests/recorded/exo-0.3.70/", $file))
    };
}

/// What is read of a whole state, asked for piece by piece as the agent does.
fn tell(state: &Value, node_id: &str) -> Telling {
    let mut telling = Telling::default();
    for document in Document::ALL {
        let body = match document.path().strip_prefix("/state/") {
            Some(key) => state[key].to_string(),
            None => format!("\"{node_id}\""),
        };
        telling.on(Input::Told(Answer::read(document, &Reply::answer(200, body))), NOW);
    }
    telling
}

/// The words of an instance's life, each once in a row, its numbers aside.
fn life(states: &str) -> Vec<&'static str> {
    let mut words = vec![];
    for line in states.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let telling = tell(&line, "");
        let phase = telling.instances().next().map(|(_, phase)| phase);
        words.push(match phase {
            None => "none",
            Some(Phase::Placed) => "placed",
            Some(Phase::Downloading { .. }) => "downloading",
            Some(Phase::Loading { .. }) => "loading",
            Some(Phase::Warming) => "warming",
            Some(Phase::Ready) => "ready",
            Some(Phase::Failed(_)) => "failed",
        });
    }
    words.dedup();
    words
}

#[test]
fn macs_with_their_links_memory_and_models_are_read() {
    let state: Value = serde_json::from_str(recorded!("state_mac.json")).unwrap();
    let telling = tell(&state, "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1");
    let members = &telling.cluster().members;
    let names: Vec<&str> = members.iter().filter_map(|member| member.name.as_deref()).collect();
    assert_eq!(names, ["studio-1", "mbp-max", "mini-pro", "studio-2"]);
    let links: Vec<Option<LinkKind>> = {
        let asked = &members[0].id;
        members.iter().map(|member| member.links.get(asked).copied()).collect()
    };
    assert_eq!(links[0], None);
    assert_eq!((links[1], links[3]), (Some(LinkKind::Rdma), Some(LinkKind::Rdma)));
    assert!(links[2].is_some_and(|link| link > LinkKind::Rdma), "Thunderbolt 4 has no RDMA: {:?}", links[2]);
    let installed: Option<u64> = members.iter().map(|member| member.installed_mib).sum();
    assert_eq!(installed, Some((512 + 512 + 128 + 64) * 1024));
    assert_eq!(members[0].gpu_percent, Some(42));
    assert!(members[0].models_mib > 70_000, "half of DeepSeek-V4-Flash: {}", members[0].models_mib);
    assert!(telling.is_ready("mlx-community/DeepSeek-V4-Flash", NOW));
    let loading = telling.instances().find(|(instance, _)| instance.model == "mlx-community/Qwen3-Coder-Next-4bit");
    assert_eq!(loading.unwrap().1, Phase::Loading { layers: 12, of: 48 });
}

#[test]
fn a_linux_nodes_unknown_names_are_not_shown() {
    let state: Value = serde_json::from_str(recorded!("state_cluster.json")).unwrap();
    let telling = tell(&state, "");
    assert_eq!(telling.cluster().members.len(), state["topology"]["nodes"].as_array().unwrap().len());
    for member in &telling.cluster().members {
        assert_eq!((member.chip.as_deref(), member.model.as_deref(), member.gpu_percent), (None, None, None));
        assert!(member.installed_mib.is_some());
    }
}

#[test]
fn the_life_of_a_real_instance_reads_from_its_placement_to_its_end() {
    let words = life(recorded!("states_run.jsonl"));
    assert_eq!(words, ["none", "placed", "loading", "warming", "ready", "none"]);
    let words = life(recorded!("states_download.jsonl"));
    assert_eq!(words[..3], ["none", "placed", "downloading"]);
}

#[test]
fn real_previews_are_read_and_one_that_is_too_big_says_why() {
    let places = read_previews(recorded!("instance_previews.json").as_bytes()).unwrap();
    let place = &places[0];
    assert_eq!((place.instance.nodes().count(), place.instance.is_rdma()), (1, false));
    assert!(place.body["instance"]["MlxRingInstance"]["instanceId"].is_string());
    let why = read_previews(recorded!("instance_previews_toobig.json").as_bytes()).unwrap_err();
    assert!(why.to_string().contains("No cycles found with sufficient memory"), "{why}");
}
