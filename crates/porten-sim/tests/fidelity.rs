//! Holds the simulator against exo's recorded answers, document by document: keys, kinds, and the spelling of words.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use axum::http::Method;
use common::shape::Shape;
use common::{
    Answer, LARGE, MODEL, Sim, assert_same, chat, heard, recorded, recorded_json, recorded_lines, sim, whole,
};
use serde_json::{Value, json};

/// States that exo's source has and no recording: the recorded node had nobody to connect to.
const NOT_RECORDED: [&str; 2] = ["/RunnerConnecting", "/RunnerConnected"];

/// All recorded states.
fn recorded_states() -> Vec<Value> {
    let whole = ["state_idle.json", "state_ready.json", "state_cluster.json", "state_mac.json"].map(recorded_json);
    let lives = ["states_run.jsonl", "states_download.jsonl"].into_iter().flat_map(recorded_lines);
    whole.into_iter().chain(lives).collect()
}

/// Looks at the state until all runners are ready.
async fn watch(sim: &Sim, runners: usize, states: &mut Vec<Value>) {
    let is_ready = |runner: &&Value| runner.get("RunnerReady").is_some();
    for _ in 0..5_000 {
        let state = sim.get("/state").await.json();
        let ready = state["runners"].as_object().unwrap().values().filter(is_ready).count();
        states.push(state);
        if ready == runners {
            return;
        }
    }
    panic!("never ready: {:?}", states.last().unwrap()["runners"]);
}

/// The states of a life with everything in it: a ring and RDMA, downloads, layers, requests, one cancelled, a deletion.
async fn a_life(sim: &Sim) -> Vec<Value> {
    let mut states = vec![sim.get("/state").await.json()];
    sim.post(
        "/place_instance",
        json!({"model_id": LARGE, "sharding": "Tensor", "instance_meta": "MlxJaccl"}).to_string(),
    )
    .await;
    sim.post("/place_instance", json!({"model_id": MODEL, "min_nodes": 2}).to_string()).await;
    let queued = async {
        sim.get(&format!("/instance/await?model_id={MODEL}")).await;
        sim.post("/v1/chat/completions", chat(MODEL, false, 2)).await
    };
    let (queued, ()) = tokio::join!(queued, watch(sim, 4, &mut states));
    assert_eq!(queued.status, 200);
    let mut running = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 40)).await;
    heard(&mut running, "\"content\"").await;
    states.push(sim.get("/state").await.json());
    drop(running);
    watch(sim, 4, &mut states).await;
    let mut cut = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 40)).await;
    heard(&mut cut, "\"content\"").await;
    let instances = states[states.len() - 1]["instances"].as_object().unwrap().clone();
    for id in instances.keys() {
        assert_eq!(sim.delete(&format!("/instance/{id}")).await.status, 200);
    }
    states.push(sim.get("/state").await.json());
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_has_nothing_that_exos_has_not_through_a_whole_life() {
    let sim = sim("3x128", &[]).await;
    let (recorded, simulated) = (recorded_states(), a_life(&sim).await);
    let (recorded, simulated) = (Shape::of(&recorded), Shape::of(&simulated));
    let strange = simulated.beyond(&recorded);
    let strange: Vec<_> =
        strange.iter().filter(|said| !NOT_RECORDED.iter().any(|known| said.contains(known))).collect();
    // That nothing is missing, the world's own test looks at: there no phase is too short to be seen.
    assert!(strange.is_empty(), "not in exo's states: {strange:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_the_state_have_their_own_spelling_of_time() {
    let sim = sim("1x64", &[]).await;
    let node = sim.get("/node_id").await;
    assert_same("node_id", [&recorded_json("node_id.json")], [&node.json()]);
    let node = node.json().as_str().unwrap().to_owned();
    assert_same("nodeMemory", [&recorded_json("state_nodeMemory.json")], [&sim.state("nodeMemory").await]);
    assert_same("topology", [&recorded_json("state_topology.json")], [&sim.state("topology").await]);
    assert_eq!(sim.state("topology/nodes/0").await, json!(node));
    assert_eq!(sim.state("topology/nodes/-1").await, json!(node));
    assert_eq!(sim.state(&format!("nodeIdentities/{node}/friendlyName")).await, json!("studio-1"));
    let (part, whole) = (sim.state("lastSeen").await, sim.get("/state").await.json());
    assert!(part[&node].as_str().unwrap().ends_with("+00:00"), "{part}");
    assert!(whole["lastSeen"][&node].as_str().unwrap().ends_with('Z'), "{}", whole["lastSeen"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_has_all_of_exos_cards() {
    let sim = sim("1x64", &[MODEL]).await;
    let list = sim.get("/v1/models").await.json();
    assert_same("v1_models", [&recorded_json("v1_models.json")], [&list]);
    assert_eq!(list["data"].as_array().unwrap().len(), 123);
    let of = |list: &Value, id: &Value| {
        let mut card = list["data"].as_array().unwrap().iter().find(|card| card["id"] == *id).unwrap().clone();
        card.as_object_mut().unwrap().remove("created");
        card
    };
    let again = sim.get("/models").await.json();
    for card in list["data"].as_array().unwrap() {
        assert_eq!(of(&again, &card["id"]), of(&list, &card["id"]));
    }
    let recorded = recorded_json("v1_models.json");
    let known = recorded["data"].as_array().unwrap().iter().filter(|card| card["owned_by"] == "exo");
    for card in known.filter(|card| !card["id"].as_str().unwrap().starts_with("spike-org/")) {
        assert_eq!(of(&list, &card["id"]), of(&recorded, &card["id"]));
    }
    let downloaded = sim.get("/v1/models?status=downloaded").await.json();
    assert_same("v1_models_downloaded", [&recorded_json("v1_models_downloaded.json")], [&downloaded]);
    assert_eq!(downloaded["data"].as_array().unwrap().len(), 1);
    assert_eq!(downloaded["data"][0]["id"], MODEL);
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_and_placements_have_the_shape_of_exos() {
    let small = sim("1x64", &[]).await;
    let path = |what: &str, model: &str| format!("/instance/{what}?model_id={model}");
    let placement = small.get(&path("placement", MODEL)).await.json();
    assert_same("placement", [&recorded_json("instance_placement.json")], [&placement]);
    let too_big = small.get(&path("previews", LARGE)).await.json();
    assert_same("previews_toobig", [&recorded_json("instance_previews_toobig.json")], [&too_big]);
    let large = sim("3x128", &[]).await;
    let previews = [small.get(&path("previews", MODEL)).await.json(), large.get(&path("previews", LARGE)).await.json()];
    let recorded = ["instance_previews.json", "instance_previews_cluster.json"].map(recorded_json);
    // On Macs there is RDMA, too.
    let instances = recorded_json("state_mac.json")["instances"].as_object().unwrap().clone();
    let jaccl =
        json!({"previews": instances.values().map(|instance| json!({"instance": instance})).collect::<Vec<_>>()});
    assert_same("previews", recorded.iter().chain([&jaccl]), &previews);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_a_cluster_is_answered_as_exo_does() {
    let sim = sim("1x64", &[]).await;
    let placed = sim.post("/place_instance", json!({"model_id": MODEL}).to_string()).await.json();
    assert_same("place_instance", [&recorded_json("place_instance.json")], [&placed]);
    let awaited = sim.get(&format!("/instance/await?model_id={MODEL}")).await;
    assert_eq!(kinds(&awaited.body), kinds(&recorded("instance_await.sse")));
    assert_same("await", &documents(&recorded("instance_await.sse")), &documents(&awaited.body));
    let id = documents(&awaited.body)[0]["instance"]["MlxRingInstance"]["instance_id"].as_str().unwrap().to_owned();
    let shown = sim.get(&format!("/instance/{id}")).await.json();
    assert_same("instance", [&recorded_json("instance_get.json")], [&shown]);
    let deleted = sim.delete(&format!("/instance/{id}")).await.json();
    assert_same("delete", [&recorded_json("instance_delete.json")], [&deleted]);
    assert_eq!(deleted["instance_id"], json!(id));
    let node = sim.get("/node_id").await.json();
    let shard = &shown["MlxRingInstance"]["shardAssignments"]["runnerToShard"].as_object().unwrap().values().next();
    let start = sim.post("/download/start", json!({"target_node_id": node, "shard_metadata": shard}).to_string()).await;
    let cancel = sim.post("/download/cancel", json!({"targetNodeId": "x", "modelId": "y"}).to_string()).await;
    let remove = sim.delete(&format!("/download/{}/{MODEL}", node.as_str().unwrap())).await;
    let received: Vec<Value> = [start, cancel, remove].iter().map(Answer::json).collect();
    assert_same("downloads", [&recorded_json("errors/download_cancel_bad.body")], &received);
}

/// The sort of each line of a stream; the same many times over is once.
fn kinds(stream: &str) -> Vec<String> {
    let lines = stream.lines().filter(|line| !line.is_empty()).map(|line| {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        match words.as_slice() {
            [":", name, ..] => format!(": {name}"),
            ["data:", "[DONE]"] => "[DONE]".into(),
            ["data:", ..] if line.contains("\"usage\":{") => "data: usage".into(),
            _ if line.starts_with("event:") => line.to_owned(),
            _ => words.first().copied().unwrap_or_default().to_owned(),
        }
    });
    let mut kinds: Vec<String> = Vec::new();
    for kind in lines {
        let last = |back: usize| kinds.len().checked_sub(back).map(|place| kinds[place].as_str());
        // Named events come in pairs of lines: the second of two equal pairs is not told again.
        let is_again = last(1) == Some(&kind) || last(2) == Some(&kind) && last(1) == last(3);
        if !is_again {
            kinds.push(kind);
        }
    }
    kinds
}

/// The documents in a stream's data lines.
fn documents(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|text| *text != "[DONE]").map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// The documents in a stream's comments of that name.
fn comments(stream: &str, name: &str) -> Vec<Value> {
    let said = stream.lines().filter_map(|line| line.strip_prefix(": ")?.strip_prefix(name)?.strip_prefix(' '));
    said.map(|text| serde_json::from_str(text).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_stream_is_exos_line_by_line() {
    let sim = sim("1x64", &[MODEL]).await;
    let answer = sim.post("/v1/chat/completions", chat(MODEL, true, 6)).await;
    let recorded = recorded("chat_stream.sse");
    assert_eq!(kinds(&answer.body), kinds(&recorded), "{}", answer.body);
    let (last, pieces) = (|all: &[Value]| all[all.len() - 1].clone(), |all: &[Value]| all[..all.len() - 1].to_vec());
    let (exos, ours) = (documents(&recorded), documents(&answer.body));
    assert_same("pieces", &pieces(&exos), &pieces(&ours));
    assert_same("the last piece", [&last(&exos)], [&last(&ours)]);
    assert_same("progress", &comments(&recorded, "prefill_progress"), &comments(&answer.body, "prefill_progress"));
    let stats = comments(&answer.body, "generation_stats");
    assert_same("stats", &comments(&recorded, "generation_stats"), &stats);
    // Nothing was cached, and that has its word.
    assert_eq!(stats[0]["prefix_cache_hit"], recorded_json("bench_chat.json")["generation_stats"]["prefix_cache_hit"]);
    // The end of each line is exo's, blank lines too.
    assert!(answer.body.ends_with("\n\ndata: [DONE]\n\n") && recorded.ends_with("\n\ndata: [DONE]\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_document_and_the_other_dialects_have_exos_shapes() {
    let sim = sim("1x64", &[MODEL]).await;
    let document = sim.post("/v1/chat/completions", chat(MODEL, false, 6)).await;
    assert_same("chat", [&recorded_json("chat_nonstream.json")], [&document.json()]);
    for (path, name, words) in [
        ("/v1/messages", "messages", json!({"max_tokens": 6, "messages": [{"role": "user", "content": "hello"}]})),
        ("/v1/responses", "responses", json!({"max_output_tokens": 6, "input": "hello"})),
    ] {
        let body = |stream: bool| {
            let mut body = words.clone();
            body["model"] = MODEL.into();
            body["stream"] = stream.into();
            body.to_string()
        };
        let document = sim.post(path, body(false)).await.json();
        assert_same(name, [&recorded_json(&format!("{name}_nonstream.json"))], [&document]);
        let stream = sim.post(path, body(true)).await.body;
        let exos = recorded(&format!("{name}_stream.sse"));
        assert_eq!(kinds(&stream), kinds(&exos), "{stream}");
        assert_same(name, &documents(&exos), &documents(&stream));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_cancelled_or_whose_instance_is_deleted_just_ends() {
    // Slow, so that the answer is still on its way when it is cut.
    let sim = common::sim_at(0.2, "1x64", &[MODEL]).await;
    for name in ["chat_cancelled_by_api.sse", "chat_killed_by_instance_delete.sse"] {
        let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 40)).await;
        let mut said = heard(&mut stream, "data: ").await;
        if name.contains("cancelled") {
            let id = documents(&said)[0]["id"].as_str().unwrap().to_owned();
            let cancelled = sim.post(&format!("/v1/cancel/{id}"), "").await;
            assert_same("cancel", [&recorded_json("cancel.json")], [&cancelled.json()]);
        } else {
            let instances = sim.state("instances").await;
            sim.delete(&format!("/instance/{}", instances.as_object().unwrap().keys().next().unwrap())).await;
        }
        said += &whole(stream).await.body;
        assert_eq!(kinds(&said), kinds(&recorded(name)), "{said}");
    }
}

/// Status, and headers but those that differ each time.
fn head(answer: &Answer) -> (u16, Vec<String>) {
    let fixed = answer.headers.iter().filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()));
    let mut lines: Vec<String> = fixed.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    (answer.status.as_u16(), lines)
}

fn recorded_head(name: &str) -> (u16, Vec<String>) {
    let text = recorded(&format!("{name}.headers"));
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let status = lines.next().unwrap().split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    let lines = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value));
    let fixed = lines.filter(|(name, _)| name != "date" && name != "content-length");
    let mut lines: Vec<String> = fixed.map(|(name, value)| format!("{name}: {value}")).collect();
    lines.sort();
    (status, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn good_answers_have_exos_headers() {
    let sim = sim("1x64", &[MODEL]).await;
    for (path, name) in [
        ("/node_id", "node_id"),
        ("/state", "state"),
        ("/v1/models", "v1_models"),
        (&format!("/instance/previews?model_id={MODEL}"), "instance_previews"),
        ("/state/nope", "state_nope_404"),
        ("/nope", "nope_404"),
    ] {
        assert_eq!(head(&sim.get(path).await), recorded_head(name), "{path}");
    }
    let stream = sim.post("/v1/chat/completions", chat(MODEL, true, 2)).await;
    assert_eq!(head(&stream), recorded_head("chat_stream"));
}

/// A document, or what is none as text.
fn read(body: &str) -> Value {
    serde_json::from_str(body).unwrap_or_else(|_| body.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_in_exos_words() {
    let sim = sim("1x64", &[]).await;
    let old_shape =
        r#"{"model_id":"spike-org/tiny-llama-4L-bf16","sharding":"Pipeline","instance_meta":"MlxRing","min_nodes":1}"#;
    let known = |stream: bool| json!({"model": MODEL, "stream": stream, "messages": []}).to_string();
    let alien = r#"{"model":"x","messages":[{"role":"alien","content":"x"}]}"#;
    let mistakes: [(Method, &str, String, &str); 18] = [
        (Method::POST, "/v1/chat/completions", r#"{"messages":oops}"#.into(), "chat_bad_json"),
        (Method::POST, "/v1/chat/completions", alien.into(), "chat_bad_type"),
        (Method::POST, "/v1/chat/completions", known(false), "chat_known_no_instance"),
        (Method::POST, "/v1/chat/completions", known(true), "chat_known_no_instance_stream"),
        (
            Method::POST,
            "/v1/chat/completions",
            r#"{"messages":[{"role":"user","content":"x"}]}"#.into(),
            "chat_no_model",
        ),
        (Method::POST, "/v1/chat/completions", r#"{"model":"no/such-model","messages":[]}"#.into(), "chat_unknown"),
        (Method::POST, "/v1/completions", "{}".into(), "completions_legacy"),
        (Method::POST, "/v1/embeddings", "{}".into(), "embeddings"),
        (Method::POST, "/node_id", String::new(), "method_not_allowed"),
        (Method::OPTIONS, "/v1/models", String::new(), "options_cors"),
        (Method::DELETE, "/instance/nope", String::new(), "delete_instance_404"),
        (Method::POST, "/download/start", r#"{"target_node_id":"x"}"#.into(), "download_start_bad"),
        (Method::POST, "/instance", old_shape.into(), "instance_old_shape"),
        (Method::POST, "/place_instance", r#"{"model_id":"a/b","sharding":"pipeline"}"#.into(), "place_bad_sharding"),
        (Method::POST, "/place_instance", r#"{"model_id":"a/b"}"#.into(), "place_unknown"),
        (Method::GET, "/instance/previews", String::new(), "previews_missing"),
        (Method::GET, "/instance/previews?model_id=a/b", String::new(), "previews_unknown"),
        (Method::GET, &format!("/instance/placement?model_id={LARGE}"), String::new(), "instance_placement_toobig"),
    ];
    for (method, path, body, name) in mistakes {
        let answer = sim.send(method, path, &body).await;
        assert_eq!(read(&answer.body), read(&recorded(&format!("errors/{name}.body"))), "{name}");
        assert_eq!(head(&answer), recorded_head(&format!("errors/{name}")), "{name}");
    }
    for (path, name) in [("/state/nope", "state_nope_404"), ("/nope", "nope_404")] {
        assert_eq!(sim.get(path).await.body, recorded(&format!("errors/{name}.body")));
    }
    assert_eq!(sim.post("/v1/cancel/nope", "").await.body, recorded("errors/cancel_404.body"));
    let timeout = sim.get("/instance/await?model_id=a/b&timeout_seconds=1").await;
    assert_eq!(
        (timeout.body.as_str(), head(&timeout)),
        (&*recorded("errors/await_timeout.body"), recorded_head("errors/await_timeout"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_placed_is_taken_with_thanks_and_then_nothing_happens() {
    let sim = sim("1x64", &[]).await;
    let answer = sim.post("/place_instance", json!({"model_id": LARGE}).to_string()).await;
    let recorded: Value = recorded_json("errors/place_toobig.body");
    assert_same("place_toobig", [&recorded], [&answer.json()]);
    assert_eq!(answer.json()["model_card"], recorded["model_card"]);
    let told = sim.get(&format!("/instance/await?model_id={LARGE}&timeout_seconds=20")).await;
    assert!(told.body.contains("\"type\":\"timeout\""), "{}", told.body);
    assert_eq!(sim.state("instances").await, json!({}));
}
