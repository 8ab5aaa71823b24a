//! Every way in which exo's cluster misbehaves: how soon the ladder, the notices and the advert say what is so.
//!
//! Each test prints its row: `cargo test -p porten-cluster-tests -- --nocapture troubles | grep '^|'`.
#![allow(clippy::print_stdout, reason = "the table")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use porten_cluster_tests::{
    LOADED, OTHER, SLACK, SOON, Scene, has_notice, mac_names, members, model, row, rung, state,
};
use porten_tests::house::is_ready;
use serde_json::Value;

/// Ladder, notice and advert after a Mac is gone that held a part of the model.
fn says_lost(status: &Value) -> bool {
    rung(status, "cluster_complete") == "failed"
        && has_notice(status, "member_lost")
        && status["memory"]["advertised_mib"] == 2 * 98_304
        && state(status, LOADED.0) == "broken"
}

/// Fault D3: a Mac that died is named, its memory is taken off the advert, the model is withdrawn, and its return is seen.
#[tokio::test]
async fn a_dead_mac_is_named_while_somebody_looks() {
    let scene = Scene::start(&[]).await.looked_at().await;
    let dead = scene.other_holder().await;
    let status = scene.after(&format!("member-dies {dead}"), 10, "looked at: ladder, notice, advert", says_lost).await;
    let notice = status["notices"].as_array().unwrap().iter().find(|one| one["code"] == "member_lost").unwrap();
    assert_eq!(notice["subject"], *dead, "{notice}");
    let text = notice["text"].as_str().unwrap();
    assert!(text.contains(LOADED.0) && text.contains("It fits on the Macs that are left"), "{notice}");
    assert!(scene.hub.offered().await.is_empty());
    // It comes back under another id, and is the same Mac.
    scene
        .until(Duration::from_secs(70), "exo has let go of its instance", |status| state(status, LOADED.0) != "broken")
        .await;
    let back = format!("back {dead}");
    let status = scene.after(&back, 30, "all Macs are there again", |status| members(status, "online") == 3).await;
    assert!(status["cluster"]["absent"].as_array().is_some_and(Vec::is_empty), "{status}");
    scene.until(SOON, "its memory counts again", |status| status["memory"]["advertised_mib"] == 3 * 98_304).await;
}

#[tokio::test]
async fn a_dead_mac_is_named_while_nobody_looks() {
    let scene = Scene::start(&[]).await;
    let dead = scene.other_holder().await;
    scene.after(&format!("member-dies {dead}"), 20, "idle: ladder, notice, advert", says_lost).await;
    assert!(scene.hub.offered().await.is_empty());
}

/// Fault D3: a stream on a Mac that died ends in a typed error.
#[tokio::test]
async fn a_stream_on_a_dead_mac_ends_with_a_typed_error() {
    let scene = Scene::start(&[]).await;
    let dead = scene.other_holder().await;
    let answer = scene.long_answer().await;
    let begun = Instant::now();
    scene.sim.trouble(&format!("member-dies {dead}")).await;
    let answer = answer.finish().await;
    row("member-dies, while a stream runs", "typed error to the client", begun, 10);
    assert_eq!(answer.error().and_then(|error| error["code"].as_str()), Some("member_lost"), "{answer:?}");
    assert!(begun.elapsed() <= Duration::from_secs(10) + SLACK);
    scene.until(SOON, "withdrawn", says_lost).await;
}

#[tokio::test]
async fn a_lost_master_withdraws_all_and_the_model_comes_back_where_it_is_wanted() {
    let scene = Scene::with(&[], |agent| {
        agent.set("PORTEN_ENGINE_MODELS", LOADED.0);
    })
    .await
    .looked_at()
    .await;
    let begun = Instant::now();
    let gone = |status: &Value| state(status, LOADED.0) != "ready" && rung(status, "serving") != "reached";
    scene.after("master-lost", 15, "nothing is advertised", gone).await;
    porten_tests::wait_until(SOON, "the Hub has withdrawn it", async || {
        scene.hub.offered().await.is_empty().then_some(())
    })
    .await;
    // The wish is still there: it is placed again once the state has moved for 30 s.
    let status = scene.until(Duration::from_secs(120), "it is served again", is_ready).await;
    row("master-lost", "placed again and served", begun, 90);
    assert_eq!(model(&status, LOADED.0)["placed"], "here");
}

/// Fault D2: an exo that stands still is not believed although it answers, and its models are withdrawn.
#[tokio::test]
async fn a_frozen_exo_is_not_believed() {
    let stale = |status: &Value| {
        rung(status, "cluster_complete") == "failed"
            && has_notice(status, "cluster_stale")
            && state(status, LOADED.0) == "withdrawn"
    };
    let scene = Scene::start(&[]).await;
    let status = scene.after("frozen", 25, "idle: ladder, notice, advert", stale).await;
    assert_eq!(
        (&status["overall"]["state"], &status["headline"]["text"]),
        (&"blocked".into(), &"exo isn't responding".into())
    );
    let shown = scene.agent.command(&["status"]).await.stdout;
    assert!(!shown.contains("budget") && !shown.contains("no engine"), "{shown}");
    assert!(scene.hub.offered().await.is_empty());
    scene.sim.trouble("thaw").await;
    let scene = scene.looked_at().await;
    scene.until(SOON, "it is served again", is_ready).await;
    scene.after("frozen", 15, "looked at: ladder, notice, advert", stale).await;
}

#[tokio::test]
async fn streams_on_an_exo_that_stands_still_or_lost_its_leader_end_with_a_typed_error() {
    for trouble in ["frozen", "master-lost"] {
        let scene = Scene::start(&[]).await;
        let answer = scene.long_answer().await;
        let begun = Instant::now();
        scene.sim.trouble(trouble).await;
        let answer = answer.finish().await;
        row(trouble, "typed error to a client that streams", begun, 15);
        let code = answer.error().and_then(|error| error["code"].as_str().map(str::to_owned));
        assert_eq!(code.as_deref(), Some("member_lost"), "{trouble}: {answer:?}");
        assert!(begun.elapsed() <= Duration::from_secs(15) + SLACK);
    }
}

#[tokio::test]
#[ignore = "takes two minutes: make soak"]
async fn a_stalled_download_names_the_mac() {
    let scene = Scene::start(&[]).await;
    scene.sim.trouble("download-stalls studio-1").await;
    assert_eq!(scene.agent.command(&["models", "on", OTHER.0, "--macs", "3"]).await.code, Some(0));
    scene.until(SOON, "it is downloading", |status| state(status, OTHER.0) == "downloading").await;
    let begun = Instant::now();
    let stalled = |status: &Value| state(status, OTHER.0) == "stalled" && has_notice(status, "load_stalled");
    let status = scene.until(Duration::from_secs(120), "it is called stalled", stalled).await;
    row("download-stalls", "stalled, by name (deadline 90 s)", begun, 93);
    let why = model(&status, OTHER.0)["state"]["why"].as_str().unwrap();
    assert_eq!(why, "no byte for 90 s on studio-1");
    scene.sim.trouble("download-goes-on studio-1").await;
    scene.until(SOON, "it is served", |status| model(status, OTHER.0)["standing"] == "eligible").await;
}

#[tokio::test]
async fn a_load_that_fails_five_times_stops_and_says_why() {
    let scene = Scene::start(&["--speed", "8"]).await;
    scene.sim.trouble("load-fails 5").await;
    let begun = Instant::now();
    assert_eq!(scene.agent.command(&["models", "on", OTHER.0]).await.code, Some(0));
    let failed = |status: &Value| state(status, OTHER.0) == "failed" && model(status, OTHER.0)["placed"].is_null();
    let status = scene.until(SOON, "it failed", failed).await;
    row("load-fails 5, eight times as fast", "failed, with exo's reason", begun, 60);
    assert!(has_notice(&status, "model_unplaced"), "{status}");
    let why = model(&status, OTHER.0)["state"]["why"].as_str().unwrap().to_owned();
    assert!(!why.is_empty() && !why.contains("Traceback"), "{why}");
    // A person tries again, and it works.
    assert_eq!(scene.agent.command(&["models", "on", OTHER.0, "--wait"]).await.code, Some(0));
}

#[tokio::test]
async fn a_cut_stream_is_an_error_at_once_also_for_a_client_that_did_not_ask_to_stream() {
    let scene = Scene::start(&[]).await;
    let client = scene.hub.client();
    let proven = |status: &Value| model(status, LOADED.0)["state"]["proven"].as_str().map(str::to_owned);
    let before = proven(&scene.agent.status().await);
    scene.sim.trouble("cut-stream").await;
    let begun = Instant::now();
    let whole = client.chat(LOADED.0, "Hi").await;
    row("cut-stream", "error to a client that did not ask to stream", begun, 1);
    assert_eq!(
        (whole.status, whole.json["error"]["code"].as_str()),
        (502, Some("upstream_truncated")),
        "{}",
        whole.text
    );
    // The model is proven anew after a failure. That is a stream too, and would be the one that is cut.
    let proven_anew =
        |status: &Value| is_ready(status) && proven(status).is_some_and(|at| before.as_ref() != Some(&at));
    scene.until(SOON, "it is proven anew", proven_anew).await;
    scene.sim.trouble("cut-stream").await;
    let begun = Instant::now();
    let stream = client.stream_chat(LOADED.0, "Hi").await;
    row("cut-stream", "error event", begun, 1);
    assert_eq!(stream.error().and_then(|error| error["code"].as_str()), Some("upstream_truncated"), "{stream:?}");
}

#[tokio::test]
async fn what_others_do_is_not_fought() {
    let scene = Scene::start(&[]).await.looked_at().await;
    scene.sim.trouble(&format!("someone-places {}", OTHER.1)).await;
    scene.until(SOON, "what others placed is served", |status| model(status, OTHER.0)["standing"] == "eligible").await;
    assert_eq!(scene.agent.command(&["models", "off", OTHER.0]).await.code, Some(0));
    scene.until(SOON, "it is off", |status| state(status, OTHER.0) == "off").await;
    let deletes = format!("someone-deletes {}", LOADED.1);
    scene.after(&deletes, 15, "off, and left so", |status| state(status, LOADED.0).starts_with("off")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.sim.instances_of(OTHER.1).await.len(), 1, "theirs stays");
    let touched = |request: &&String| request.starts_with("DELETE") || request.starts_with("POST /instance");
    assert_eq!(scene.sim.requests().await.iter().find(touched), None);
}

#[tokio::test]
async fn conditions_of_the_macs_are_noticed_with_what_to_do() {
    let conditions = ["builds-differ studio-2", "rdma-off studio-2", "memory-pressure studio-2", "bridge-loop"];
    let arguments: Vec<&str> = conditions.iter().flat_map(|one| ["--trouble", one]).collect();
    let scene = Scene::start(&arguments).await.looked_at().await;
    let begun = Instant::now();
    for code in ["builds_differ", "rdma_off", "memory_pressure", "bridge_loop"] {
        let status = scene.until(SOON, code, |status| has_notice(status, code)).await;
        let notice = status["notices"].as_array().unwrap().iter().find(|one| one["code"] == code).unwrap().clone();
        assert!(
            ["title", "text", "remedy"].iter().all(|part| notice[*part].as_str().is_some_and(|text| text.len() > 3))
        );
        row("four conditions of a Mac", code, begun, 60);
    }
    assert!(is_ready(&scene.agent.status().await), "none of them takes the model away");
}

#[tokio::test]
async fn a_link_that_falls_back_under_a_model_is_said() {
    let scene = Scene::start(&[]).await.looked_at().await;
    let other = scene.other_holder().await;
    let this = mac_names(&scene.agent.status().await, true).pop().unwrap();
    let falls = format!("link-falls-back {this} {other} vpn");
    let status = scene.after(&falls, 45, "slow_link", |status| has_notice(status, "slow_link")).await;
    let notice = status["notices"].as_array().unwrap().iter().find(|one| one["code"] == "slow_link").unwrap();
    assert!(notice["text"].as_str().is_some_and(|text| text.contains("RDMA") && text.contains("VPN")), "{notice}");
    let back = format!("link-back {this} {other}");
    scene.after(&back, 45, "no slow link any more", |status| !has_notice(status, "slow_link")).await;
}

#[tokio::test]
async fn phantoms_and_models_that_cannot_generate_are_never_advertised() {
    let scene = Scene::start(&[]).await.looked_at().await;
    scene.sim.trouble(&format!("phantom nodes {}", OTHER.1)).await;
    scene.until(SOON, "the phantom is seen", |status| !matches!(state(status, OTHER.0), "off" | "")).await;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!scene.hub.offered().await.contains(&OTHER.0.to_owned()));
    }
    scene.sim.trouble(&format!("cannot-generate {}", LOADED.1)).await;
    let begun = Instant::now();
    let answer = scene.hub.client().chat(LOADED.0, "Hi").await;
    assert!(answer.status >= 500, "{}", answer.text);
    let unproven = |status: &Value| state(status, LOADED.0) == "failed" && has_notice(status, "model_unproven");
    scene.until(SOON, "it is called so", unproven).await;
    row("cannot-generate, after the first request", "failed, with a notice", begun, 30);
    assert!(scene.hub.offered().await.is_empty());
}

#[tokio::test]
async fn a_leaders_clock_that_is_set_changes_nothing() {
    let scene = Scene::start(&[]).await.looked_at().await;
    for trouble in ["clock +3600", "clock -3600"] {
        scene.sim.trouble(trouble).await;
        for _ in 0..24 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let status = scene.agent.status().await;
            assert!(is_ready(&status) && !has_notice(&status, "cluster_stale"), "{trouble}: {status}");
        }
    }
    println!("| clock ±3600 | served all along | – | – |");
}

/// While exo replays the last picture stays, and nothing is said of its Macs.
fn assert_as_before(status: &Value) {
    assert_eq!((members(status, "online"), status["memory"]["missing_mib"].as_u64()), (3, Some(0)), "{status}");
    assert_eq!(status["memory"]["advertised_mib"], 3 * 98_304, "{status}");
    let held = |mac: &Value| mac["models_mib"].as_u64().unwrap_or(0);
    let held: u64 = status["cluster"]["members"].as_array().into_iter().flatten().map(held).sum();
    assert!(held > 0, "{status}");
    assert_eq!(model(status, LOADED.0)["wanted"], true, "no switch goes off by itself: {status}");
    for code in ["member_lost", "model_broken", "model_unplaced", "nothing_to_serve"] {
        assert!(!has_notice(status, code), "{status}");
    }
    assert_ne!(status["overall"]["state"], "connecting", "{status}");
}

#[tokio::test]
async fn replayed_history_is_not_believed_and_the_truth_is() {
    let scene = Scene::start(&[]).await.looked_at().await;
    let begun = Instant::now();
    scene.sim.trouble("replay 20").await;
    scene.until(SOON, "it is withdrawn", |status| !is_ready(status)).await;
    let mut wrongly = 0;
    while begun.elapsed() < Duration::from_secs(23) {
        let status = scene.agent.status().await;
        assert_as_before(&status);
        let answer = scene.hub.client().chat(LOADED.0, "Hi").await;
        // Before anything could be seen of it, a request may still reach the engine, and be refused there.
        wrongly += usize::from(begun.elapsed() > Duration::from_secs(15) && answer.status != 503);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(wrongly, 0, "requests that were placed on history");
    scene.until(SOON, "it is served again", is_ready).await;
    row("replay 20", "withdrawn, then served again", begun, 60);
}

#[tokio::test]
async fn a_ghost_is_no_second_mac() {
    let scene = Scene::start(&[]).await.looked_at().await;
    let spare = "studio-2";
    scene.sim.trouble(&format!("ghost {spare}")).await;
    let ghost = scene.until(SOON, "the ghost is known as one", |status| members(status, "ghost") == 1).await;
    assert!(ghost["memory"]["raw_mib"].as_u64().is_some_and(|raw| raw <= 3 * 131_072), "{}", ghost["memory"]);
    let whole = |status: &Value| members(status, "online") == 3 && members(status, "ghost") == 0;
    let status = scene.until(SOON, "exo has let go of it", whole).await;
    assert_eq!(status["memory"]["raw_mib"], 3 * 131_072);
    assert!(status["cluster"]["absent"].as_array().is_some_and(Vec::is_empty), "{status}");
}
