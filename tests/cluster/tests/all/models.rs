//! exo's cluster through a real agent and a real Hub: seen, loaded by a wish, given back by another.

use std::time::{Duration, Instant};

use porten_cluster_tests::{LOADED, OTHER, SOON, Scene, model};
use porten_tests::client::streamed_chat;
use porten_tests::house::is_ready;
use porten_tests::{Agent, Hub, Sim, wait_until};
use serde_json::{Value, json};

/// Three Macs with a model loaded, a Hub, and an agent that serves it; nothing is configured but where they are.
async fn cluster(arguments: &[&str]) -> (Sim, Hub, Agent) {
    let Scene { sim, hub, agent, .. } = Scene::start(arguments).await;
    (sim, hub, agent)
}

#[tokio::test]
async fn the_macs_are_shown_with_their_memory_and_links_and_the_budget_is_theirs() {
    let (_sim, hub, agent) = cluster(&[]).await;
    let status = agent
        .status_until(SOON, "all Macs have told what they are", |status| {
            let members = status["cluster"]["members"].as_array();
            members.is_some_and(|all| all.len() == 3 && all.iter().all(|one| one["state"]["state"] == "online"))
        })
        .await;
    let members = status["cluster"]["members"].as_array().unwrap();
    assert!(members.iter().all(|mac| mac["installed_mib"] == 131_072), "{members:?}");
    assert_eq!(members.iter().filter(|mac| mac["this_mac"] == true).count(), 1);
    assert!(members.iter().all(|mac| mac["this_mac"] == true || mac["link"] == "rdma"), "{members:?}");
    assert_eq!(status["memory"]["raw_mib"], 3 * 131_072);
    assert_eq!(
        (&status["memory"]["advertised_mib"], &status["memory"]["origin"]),
        (&json!(294_912), &json!("assumed"))
    );
    assert!(model(&status, "deepseek-v4-flash")["parts"].as_array().is_some_and(|parts| parts.len() == 2), "{status}");
    assert_eq!(hub.offered().await, ["deepseek-v4-flash"]);
}

#[tokio::test]
async fn the_recipes_engine_openai_shows_exos_macs_all_the_same_and_the_set_budget_stays() {
    let sim = Sim::start(&["--macs", "3x128", "--loaded", LOADED.1]).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE", "openai").set("PORTEN_ENGINE_URL", &sim.url());
    agent.set("PORTEN_VRAM_BUDGET_MB", "262144").set("PORTEN_ENGINE_MODELS", "deepseek-v4-flash");
    agent.login(&hub).await;
    agent.run();
    let status = agent.status_until(SOON, "the model is served", is_ready).await;
    assert_eq!(status["cluster"]["members"].as_array().map(Vec::len), Some(3), "{status}");
    assert_eq!((&status["memory"]["advertised_mib"], &status["memory"]["origin"]), (&json!(262_144), &json!("set")));
    assert_eq!(status["models"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_model_that_is_turned_on_is_placed_and_offered_and_off_finishes_what_runs_and_frees_the_memory() {
    let (sim, hub, agent) = cluster(&["--speed", "4"]).await;
    let (id, engine_id) = OTHER;
    let off = agent.status().await;
    assert_eq!(
        (model(&off, id)["wanted"].clone(), model(&off, id)["state"]["state"].clone()),
        (json!(false), json!("off"))
    );

    assert_eq!(agent.command(&["models", "on", id]).await.code, Some(0));
    let on = agent.status_until(SOON, "it is served", |status| model(status, id)["standing"] == "eligible").await;
    assert_eq!(model(&on, id)["placed"], "here");
    assert_eq!(sim.instances_of(engine_id).await.len(), 1);
    assert!(hub.offered().await.contains(&id.to_owned()));

    let mut body = streamed_chat(id, "Tell a long story.");
    body["max_tokens"] = 400.into();
    let client = hub.client();
    let mut answer = client.stream("/v1/chat/completions", &body).await;
    assert!(answer.read(3).await, "an answer is running");
    assert_eq!(agent.command(&["models", "off", id]).await.code, Some(0));
    wait_until(SOON, "the Hub has withdrawn it", async || {
        (!hub.offered().await.contains(&id.to_owned())).then_some(())
    })
    .await;
    assert_eq!(sim.instances_of(engine_id).await.len(), 1, "its last answer still runs");
    let answer = answer.finish().await;
    assert!(answer.is_success(), "{answer:?}");
    wait_until(SOON, "the memory is free again", async || sim.instances_of(engine_id).await.is_empty().then_some(()))
        .await;
    let status = agent.status().await;
    assert_eq!(model(&status, id)["state"]["state"], "off");
    assert_eq!(sim.instances_of(LOADED.1).await.len(), 1, "what was there before is not touched");
}

#[tokio::test]
async fn what_others_loaded_is_only_withdrawn_when_it_is_turned_off() {
    let (sim, hub, agent) = cluster(&[]).await;
    assert_eq!(agent.command(&["models", "off", "deepseek-v4-flash"]).await.code, Some(0));
    wait_until(SOON, "the Hub has withdrawn it", async || hub.offered().await.is_empty().then_some(())).await;
    assert_eq!(sim.instances_of(LOADED.1).await.len(), 1);
    assert!(!sim.requests().await.iter().any(|request| request.starts_with("DELETE")));
}

#[tokio::test]
async fn a_model_that_fits_nowhere_says_so_in_exos_words() {
    let sim = Sim::start(&["--macs", "2x16"]).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE_URL", &sim.url());
    agent.login(&hub).await;
    agent.run();
    let listed = |status: &Value| model(status, "deepseek-v4-flash")["state"]["state"] == "off";
    agent.status_until(SOON, "the models are listed", listed).await;
    assert_eq!(agent.command(&["models", "on", "deepseek-v4-flash"]).await.code, Some(0));
    let failed = |status: &Value| model(status, "deepseek-v4-flash")["state"]["state"] == "failed";
    let status = agent.status_until(SOON, "it says that it fits nowhere", failed).await;
    let why = model(&status, "deepseek-v4-flash")["state"]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("No cycles found with sufficient memory"), "{why}");
    assert_eq!(status["notices"][0]["code"], "model_unplaced", "{status}");
}

/// Two Macs whose free memory together is enough for exo, while each would hold more than its GPU may.
#[tokio::test]
async fn a_place_that_would_overcommit_a_mac_is_refused_with_the_sum_and_taken_only_anyway() {
    let sim = Sim::start(&["--macs", "2x96", "--speed", "4"]).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE_URL", &sim.url()).set("PORTEN_VRAM_BUDGET_MB", "262144");
    agent.login(&hub).await;
    agent.run();
    let id = "deepseek-v4-flash";
    agent.status_until(SOON, "the models are listed", |status| model(status, id)["state"]["state"] == "off").await;
    let refused = agent.command(&["models", "on", id, "--wait"]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("GB too much"), "{refused:?}");
    let status = agent.status().await;
    let why = model(&status, id)["state"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("would need") && why.contains("its GPU can use"), "{why}");
    let notice = status["notices"].as_array().unwrap().iter().find(|one| one["code"] == "model_unfit").unwrap();
    assert_eq!(notice["fix"], serde_json::json!({ "action": "make_room", "model": id }), "{notice}");
    // Of two ways to count, the one that a person can check: its weights, and what all GPUs hold.
    assert_eq!(status["headline"]["text"], "deepseek-v4-flash needs 145 GB, this cluster holds 144", "{status}");
    let shown = agent.command(&["status"]).await.stdout;
    assert!(shown.starts_with("deepseek-v4-flash needs 145 GB, this cluster holds 144 · "), "{shown}");
    assert!(shown.contains(&format!("porten models on {id} --anyway")), "{shown}");
    assert!(sim.instances_of(LOADED.1).await.is_empty());
    let anyway = agent.command(&["models", "on", id, "--anyway", "--wait"]).await;
    assert_eq!(anyway.code, Some(0), "{anyway:?}");
    assert_eq!(sim.instances_of(LOADED.1).await.len(), 1);
}

#[tokio::test]
async fn how_a_model_is_placed_can_be_chosen_and_changed_and_it_may_stay_loaded() {
    let (sim, _hub, agent) = cluster(&["--speed", "8"]).await;
    let (id, engine_id) = OTHER;
    let on = async |options: &[&str]| {
        let ended = agent.command(&[&["models", "on", id, "--wait"], options].concat()).await;
        assert_eq!(ended.code, Some(0), "{options:?}: {ended:?}");
        model(&agent.status().await, id).clone()
    };
    let shape =
        |model: &Value| (model["sharding"].clone(), model["link"].clone(), model["parts"].as_array().map(Vec::len));
    assert_eq!(shape(&on(&[]).await), (Value::Null, Value::Null, Some(1)));
    assert_eq!(
        shape(&on(&["--pipeline", "--ip", "--macs", "2"]).await),
        (json!("pipeline"), json!("ethernet"), Some(2))
    );
    assert_eq!(shape(&on(&["--tensor", "--rdma"]).await), (json!("tensor"), json!("rdma"), Some(2)));
    assert_eq!(sim.instances_of(engine_id).await.len(), 1, "one after the other, never two");
    assert_eq!(agent.command(&["models", "off", id, "--keep", "--wait"]).await.code, Some(0));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(sim.instances_of(engine_id).await.len(), 1);
    let off = agent.command(&["models", "off", id, "--wait"]).await;
    assert_eq!(off.code, Some(0), "{off:?}");
    wait_until(SOON, "the memory is free", async || sim.instances_of(engine_id).await.is_empty().then_some(())).await;
    let impossible = agent.command(&["models", "on", id, "--rdma", "--macs", "7", "--wait"]).await;
    assert_eq!(impossible.code, Some(1), "{impossible:?}");
    assert!(impossible.stderr.contains("in the way that was chosen"), "{impossible:?}");
}

#[tokio::test]
async fn a_limit_that_was_told_counts_until_that_mac_starts_exo_anew() {
    let (sim, _hub, agent) = cluster(&[]).await;
    let told = agent.command(&["cluster", "limit", "studio-2", "114688"]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let more = 2 * 98_304 + 114_688;
    agent.status_until(SOON, "it counts", |status| status["memory"]["advertised_mib"] == more).await;
    let wrong = agent.command(&["cluster", "limit", "studio-9", "114688"]).await;
    assert_eq!((wrong.code, wrong.stderr.contains("There is no Mac studio-9")), (Some(2), true), "{wrong:?}");
    let shown = agent.command(&["cluster"]).await;
    assert!(shown.stdout.contains("112 GB for its GPU (set by you)"), "{}", shown.stdout);
    sim.trouble("ghost studio-2").await;
    let forgotten = |status: &Value| {
        let mut notices = status["notices"].as_array().into_iter().flatten();
        notices.any(|notice| notice["code"] == "limit_forgotten" && notice["subject"] == "studio-2")
    };
    agent.status_until(SOON, "it is said that it does not count", forgotten).await;
    agent.status_until(SOON, "and it does not", |status| status["memory"]["advertised_mib"] == 3 * 98_304).await;
    assert_eq!(agent.command(&["cluster", "limit", "studio-2", "114688"]).await.code, Some(0));
    agent.status_until(SOON, "told again", |status| status["memory"]["advertised_mib"] == more).await;
}

#[tokio::test]
#[ignore = "takes two minutes: make soak"]
async fn a_model_that_rests_gives_its_memory_back_and_the_next_request_wakes_it() {
    let sim = Sim::start(&["--macs", "3x128", "--speed", "8"]).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    let (id, engine_id) = OTHER;
    agent.set("PORTEN_ENGINE_URL", &sim.url()).set("PORTEN_ENGINE_MODELS", id);
    let settings = format!("[model.\"{id}\"]\nfree_after_minutes = 1\n");
    std::fs::write(agent.home().porten().join("config.toml"), settings).unwrap();
    agent.login(&hub).await;
    agent.run();
    agent.status_until(SOON, "it is served", is_ready).await;
    let begun = Instant::now();
    let cold = |status: &Value| model(status, id)["state"]["state"] == "cold";
    agent.status_until(Duration::from_secs(100), "it is cold", cold).await;
    assert!(begun.elapsed() >= Duration::from_secs(50), "{:?}", begun.elapsed());
    wait_until(SOON, "its memory is free", async || sim.instances_of(engine_id).await.is_empty().then_some(())).await;
    let answer = hub.client().chat(id, "Are you there?").await;
    assert_eq!((answer.status, answer.json["error"]["code"].as_str()), (503, Some("model_cold")), "{}", answer.text);
    agent.status_until(SOON, "it is served again", is_ready).await;
    assert_eq!(hub.client().chat(id, "And now?").await.status, 200);
}

#[tokio::test]
async fn what_changes_by_the_second_is_asked_for_while_somebody_looks_and_only_then() {
    let (sim, _hub, agent) = cluster(&[]).await;
    let asked_for_gpus = async || {
        let requests = sim.requests().await;
        requests.iter().filter(|request| request.as_str() == "GET /state/nodeSystem").count()
    };
    let follower = agent.start(&["status", "--watch", "--json"]);
    let before = asked_for_gpus().await;
    // Longer than the 10 s that they may be old while somebody looks.
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert_eq!(asked_for_gpus().await, before, "a program that follows does not look");
    let looker = agent.start(&["status", "--watch"]);
    wait_until(SOON, "the GPUs are asked for", async || (asked_for_gpus().await > before).then_some(())).await;
    drop((follower, looker));
}

#[tokio::test]
async fn exo_is_asked_rarely_while_nobody_looks_and_never_for_prompts() {
    let (sim, _hub, _agent) = cluster(&[]).await;
    // The first look and the sign of life after it are over.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (before, begun) = (sim.requests().await.len(), Instant::now());
    tokio::time::sleep(Duration::from_secs(30)).await;
    let requests = sim.requests().await;
    let asked = requests.iter().skip(before).filter(|request| !request.contains("/sim/")).count();
    let a_minute = asked as f64 * 60.0 / begun.elapsed().as_secs_f64();
    assert!(a_minute <= 14.0, "{a_minute} a minute: {:?}", &requests[before..]);
    let bad = |request: &&String| {
        let path = request.split(' ').nth(1).unwrap_or_default().trim_end_matches('/');
        path == "/state" || path.contains("tasks") || path.contains("events")
    };
    assert_eq!(requests.iter().find(bad), None);
}
