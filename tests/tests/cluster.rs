//! exo's cluster through a real agent and a real Hub: seen, loaded by a wish, given back by another.

use std::time::{Duration, Instant};

use porten_tests::client::chat;
use porten_tests::house::is_ready;
use porten_tests::{Agent, Hub, Sim, wait_until};
use serde_json::{Value, json};

const LOADED: &str = "mlx-community/DeepSeek-V4-Flash";
const OTHER: (&str, &str) = ("gpt-oss-20b", "mlx-community/gpt-oss-20b-MXFP4-Q8");
/// Everything takes seconds; a machine that compiles something else beside is slow.
const SOON: Duration = Duration::from_secs(60);

/// Three Macs with a model loaded, a Hub, and an agent that serves it; nothing is configured but where they are.
async fn cluster(arguments: &[&str]) -> (Sim, Hub, Agent) {
    let mut all = vec!["--macs", "3x128", "--loaded", LOADED];
    all.extend(arguments);
    let sim = Sim::start(&all).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE_URL", &sim.url());
    agent.login(&hub).await;
    agent.run();
    agent.status_until(SOON, "the loaded model is served", is_ready).await;
    (sim, hub, agent)
}

fn model<'a>(status: &'a Value, id: &str) -> &'a Value {
    status["models"].as_array().and_then(|models| models.iter().find(|model| model["id"] == id)).unwrap_or(&Value::Null)
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
    let sim = Sim::start(&["--macs", "3x128", "--loaded", LOADED]).await;
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

    let mut body = chat(id, "Tell a long story.");
    body["stream"] = true.into();
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
    assert_eq!(sim.instances_of(LOADED).await.len(), 1, "what was there before is not touched");
}

#[tokio::test]
async fn what_others_loaded_is_only_withdrawn_when_it_is_turned_off() {
    let (sim, hub, agent) = cluster(&[]).await;
    assert_eq!(agent.command(&["models", "off", "deepseek-v4-flash"]).await.code, Some(0));
    wait_until(SOON, "the Hub has withdrawn it", async || hub.offered().await.is_empty().then_some(())).await;
    assert_eq!(sim.instances_of(LOADED).await.len(), 1);
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
