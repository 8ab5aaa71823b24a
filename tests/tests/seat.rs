//! One machine, one agent: two never serve at once, and a dead one leaves nothing in the way.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::Duration;

use porten_tests::House;
use porten_tests::engine::Manner;

#[tokio::test(flavor = "multi_thread")]
async fn two_agents_on_one_seat_exactly_one_wins_and_the_other_says_who_holds_it() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    let holder = house.agent.process().id().to_string();
    let second = house.agent.command(&["run"]).await;
    assert_eq!(second.code, Some(3), "{}", second.stderr);
    assert!(second.stderr.contains(&holder), "who holds it: {}", second.stderr);
    assert_eq!(second.stderr.lines().filter(|line| line.starts_with("porten:")).count(), 1, "{}", second.stderr);
    house.served_within(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_start_together_exactly_one_stays() {
    let house = House::signed_in(Manner::mlx("tiny"), |_| {}).await;
    let mut agent = house.agent;
    agent.stop().await;
    let (mut a, mut b) = (agent.start(&["run"]), agent.start(&["run"]));
    let loser = tokio::select! {
        ended = a.ended(Duration::from_secs(20)) => ended,
        ended = b.ended(Duration::from_secs(20)) => ended,
    };
    assert_eq!(loser.code, Some(3), "{}", loser.stderr);
    assert!(a.is_running() != b.is_running(), "one of them");
}

/// Of fifty at once exactly one serves; the others say who it is. Standing by as services, one takes over from who is killed.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_that_start_at_once_exactly_one_wins() {
    use porten_tests::{tunnels, wait_until};
    let house = House::signed_in(Manner::mlx("tiny"), |_| {}).await;
    let House { mut agent, hub, .. } = house;
    agent.stop().await;
    let mut all: Vec<_> = (0..50).map(|_| agent.start(&["run"])).collect();
    wait_until(Duration::from_secs(60), "all but one have ended", async || {
        let running = all.iter_mut().filter_map(|one| one.is_running().then_some(())).count();
        (running == 1).then_some(())
    })
    .await;
    agent.status_until(Duration::from_secs(30), "the one serves", porten_tests::house::is_ready).await;
    let (mut winners, mut losers) = (Vec::new(), 0);
    for mut one in all {
        if one.is_running() {
            winners.push(one);
            continue;
        }
        let ended = one.ended(Duration::from_secs(1)).await;
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        losers += 1;
    }
    assert_eq!((winners.len(), losers), (1, 49));
    let before = tunnels::count(&hub);
    assert_eq!((before.most, before.replaced), (1, 0), "{before:?}");

    let services: Vec<_> = (0..5).map(|_| agent.start(&["run", "--service"])).collect();
    let log = agent.home().porten().join("logs/service.log");
    wait_until(Duration::from_secs(30), "all stand by", async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.matches("waiting: ").count() == services.len()).then_some(())
    })
    .await;
    winners.clear();
    let serves =
        |status: &serde_json::Value| status["host"]["kind"] == "service" && porten_tests::house::is_ready(status);
    let status = agent.status_until(Duration::from_secs(10), "a service takes over", serves).await;
    assert!(services.iter().any(|one| status["host"]["pid"] == one.id()), "{status}");
    let after = tunnels::count(&hub);
    assert_eq!((after.opened, after.most, after.replaced), (before.opened + 1, 1, 0), "{after:?}");
}

/// Fault F2: a killed agent leaves nothing that the next one stumbles over.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_leaves_nothing_stale_and_the_next_one_serves_within_seconds() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    house.agent.kill();
    let gone = house.agent.command(&["status"]).await;
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("no agent is running"), "{}", gone.stderr);
    house.agent.run();
    let took = house.served_within(Duration::from_secs(10)).await;
    eprintln!("killed and started again: served after {took:?}");
    assert!(took <= Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_asked_to_end_finishes_the_running_answer_first() {
    let manner = Manner { chunks: Some(60), delay: Duration::from_millis(50), ..Manner::mlx("tiny") };
    let mut house = House::ready(manner).await;
    let client = house.client();
    let stream = tokio::spawn(async move { client.stream_chat("tiny", "Hi").await });
    house
        .agent
        .status_until(Duration::from_secs(10), "it serves", |status| status["overall"]["state"] == "serving")
        .await;
    let ended = house.agent.stop().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let stream = stream.await.expect("the client");
    assert!(stream.is_success(), "{}", stream.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn wishes_survive_a_crash() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    assert_eq!(house.agent.command(&["models", "off", "tiny"]).await.code, Some(0));
    house.agent.kill();
    house.agent.run();
    let status = house
        .agent
        .status_until(Duration::from_secs(10), "it is online", |status| status["hub"]["link"]["state"] == "online")
        .await;
    assert_eq!(
        (&status["models"][0]["wanted"], &status["models"][0]["state"]["state"]),
        (&false.into(), &"off".into())
    );
    let answer = house.client().chat("tiny", "Hi").await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(house.agent.command(&["models", "on", "tiny"]).await.code, Some(0));
    house.served_within(Duration::from_secs(10)).await;
    let unknown = house.agent.command(&["models", "on", "nonsense"]).await;
    assert_eq!(unknown.code, Some(2), "{}", unknown.stderr);
    assert_eq!(house.agent.command(&["offline"]).await.code, Some(0));
    house.agent.status_until(Duration::from_secs(10), "it is off", |status| status["overall"]["state"] == "off").await;
    house.agent.kill();
    house.agent.run();
    house.agent.status_until(Duration::from_secs(10), "still off", |status| status["overall"]["state"] == "off").await;
}
