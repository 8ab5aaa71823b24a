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
