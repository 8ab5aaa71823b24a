//! The Hub goes away, the engine goes away, an answer is cut, a client leaves: what each side then sees, and how soon.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use porten_tests::engine::{Cut, ErrorShape, Framing, Manner, Reply};
use porten_tests::house::is_ready;
use porten_tests::{House, client, wait_until};
use serde_json::json;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A slow, long answer.
fn long() -> Manner {
    Manner { chunks: Some(200), delay: ms(20), ..Manner::mlx("tiny") }
}

async fn hub_gone_for(away: Duration) -> Duration {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    house.hub.kill();
    tokio::time::sleep(away).await;
    house.hub.start().await;
    house.served_within(Duration::from_secs(20)).await
}

/// Fault A2: a Hub that crashed and was away for three seconds serves again within two of its return.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_gone_for_three_seconds_is_served_again_within_two() {
    let took = hub_gone_for(Duration::from_secs(3)).await;
    eprintln!("Hub gone 3 s: first request served {took:?} after it listened again");
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

/// Fault A1: a Hub that was away for a minute is found, and serves, within eight seconds of its return.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_was_gone_for_a_minute_is_served_again_within_eight_seconds() {
    let took = hub_gone_for(Duration::from_secs(60)).await;
    eprintln!("Hub gone 60 s: first request served {took:?} after it listened again");
    assert!(took <= Duration::from_secs(8), "{took:?}");
}

/// Fault D1: with the engine gone requests are typed 503s within 100 ms, the model is withdrawn, the tunnel stays, and it recovers by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_engine_is_a_typed_503_at_once_the_tunnel_stays_and_it_recovers_by_itself() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    let link = house.agent.status().await["hub"]["link"].clone();
    house.engine.stop().await;
    let mut times = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        let answer = house.client().chat("tiny", "Hi").await;
        times.push(begun.elapsed());
        assert_eq!(answer.status, 503, "{}", answer.text);
        assert!(answer.code().is_some() && answer.headers.contains_key("retry-after"), "{}", answer.text);
    }
    times.sort_unstable();
    eprintln!("engine killed: typed 503 after {:?} (median), {:?} (slowest)", times[4], times[8]);
    assert!(times[4] <= ms(100), "{times:?}");
    let status = house
        .agent
        .status_until(Duration::from_secs(20), "the engine is known to be down", |status| {
            status["engine"]["reach"]["state"] == "down"
        })
        .await;
    assert_eq!(status["hub"]["link"], link, "the tunnel is the same one");
    assert_eq!(status["models"][0]["state"]["state"], "withdrawn");
    house.engine.restart().await;
    let took = house.served_within(Duration::from_secs(10)).await;
    eprintln!("engine back: served {took:?} after it listened again");
    assert_eq!(house.agent.status().await["hub"]["link"], link, "and still the same");
}

/// Fault D4: whichever way an engine cuts its answer, the client gets what came and an error event, or a 502; never a clean end.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_engine_cuts_is_an_error_event_and_never_a_clean_end() {
    for (framing, cut) in [
        // mlx_lm is HTTP/1.0: the end of the connection looks like the end of the answer.
        (Framing::Closing, Cut::Clean),
        (Framing::Closing, Cut::Reset),
        (Framing::Chunked, Cut::Clean),
        (Framing::Chunked, Cut::Torn),
        (Framing::Chunked, Cut::Reset),
    ] {
        let house = House::ready(Manner::mlx("tiny")).await;
        house.engine.change(|manner| {
            manner.framing = framing;
            manner.delay = ms(20);
            manner.cut = Some((5, cut));
        });
        let stream = house.client().stream_chat("tiny", "Hi").await;
        assert!(!stream.is_success() && !stream.done, "{framing:?} {cut:?}: {}", stream.body);
        assert_eq!(stream.error().map(|error| error["code"].clone()), Some(json!("upstream_truncated")), "{cut:?}");
        assert!(!stream.content().is_empty(), "what came before the cut was passed on");
        let whole = house.client().chat("tiny", "Hi").await;
        assert_eq!((whole.status, whole.code()), (502, Some("upstream_truncated")), "{}", whole.text);
    }
}

/// Fault D3: when the engine dies with one of its machines each stream ends in an error event.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_process_that_dies_in_the_middle_of_an_answer_is_told_too() {
    let mut house = House::ready(long()).await;
    let mut body = client::chat("tiny", "Hi");
    body["stream"] = true.into();
    let mut stream = house.client().stream("/v1/chat/completions", &body).await;
    assert!(stream.read(3).await);
    house.engine.stop().await;
    let stream = stream.finish().await;
    assert!(!stream.is_success() && stream.error().is_some(), "{}", stream.body);
}

/// Fault D7: a client that leaves stops the generation within a second.
/// Fault D8: a client that leaves an answer it did not ask to stream stops the generation within a second, since the engine is always asked to stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_stops_the_engine_within_a_second_streamed_or_not() {
    let house = House::ready(long()).await;
    for stream in [true, false] {
        let before = house.engine.cancelled();
        let mut body = client::chat("tiny", "Hi");
        body["stream"] = stream.into();
        let client = house.client();
        let asked = tokio::spawn(async move {
            let mut answer = client.stream("/v1/chat/completions", &body).await;
            answer.read(usize::MAX).await;
        });
        wait_until(Duration::from_secs(10), "the engine generates", async || {
            (house.engine.generating() == 1).then_some(())
        })
        .await;
        tokio::time::sleep(ms(200)).await;
        asked.abort();
        let left = Instant::now();
        wait_until(Duration::from_secs(5), "the engine stops", async || {
            (house.engine.cancelled() > before && house.engine.generating() == 0).then_some(())
        })
        .await;
        assert!(left.elapsed() <= Duration::from_secs(1), "stream {stream}: {:?}", left.elapsed());
    }
    // Numbers reach the status a quarter of a second late at most.
    let status = house.agent.status_until(Duration::from_secs(5), "it is idle, and counted both", |status| {
        status["traffic"]["in_flight"] == 0 && status["traffic"]["cancelled"] == 2 && is_ready(status)
    });
    assert_eq!(status.await["traffic"]["completed"], 0);
}

/// Fault A5: a Hub that dies in the middle of an answer frees the engine within two seconds.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_dies_in_the_middle_of_an_answer_frees_the_engine() {
    let mut house = House::ready(long()).await;
    let mut body = client::chat("tiny", "Hi");
    body["stream"] = true.into();
    let mut stream = house.client().stream("/v1/chat/completions", &body).await;
    assert!(stream.read(3).await);
    house.hub.kill();
    wait_until(Duration::from_secs(2), "the engine is left", async || (house.engine.generating() == 0).then_some(()))
        .await;
    assert!(!stream.finish().await.is_success());
}

/// Fault D12: ten recorded failures of real engines reach the client as one OpenAI error each.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_engine_says_when_it_fails_reaches_the_client_in_one_shape() {
    let house = House::ready(Manner::mlx("tiny")).await;
    for shape in ErrorShape::ALL {
        house.engine.change(|manner| manner.reply = Reply::Error(shape));
        let answer = house.client().chat("tiny", "Hi").await;
        assert!(answer.status >= 400, "{shape:?}: {}", answer.text);
        let error = &answer.json["error"];
        for part in ["message", "type", "code"] {
            assert!(error[part].is_string(), "{shape:?} has no {part}: {}", answer.text);
        }
    }
}

/// Fault D15: an engine that comes back with another model has the old one withdrawn within a period, and is not asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_restarts_on_another_model_is_not_asked_for_the_old_one() {
    let mut house = House::ready(Manner::llama("tiny")).await;
    let link = house.agent.status().await["hub"]["link"].clone();
    house.engine.stop().await;
    house.engine.change(|manner| manner.models = vec!["other".into()]);
    house.engine.restart().await;
    let begun = Instant::now();
    let offered = async || house.client().get("/v1/models").await.json["data"].as_array().is_some_and(Vec::is_empty);
    // An engine that answers is asked for its list every 15 s.
    wait_until(Duration::from_secs(18), "the Hub offers nothing", async || offered().await.then_some(())).await;
    eprintln!("engine restarted on another model: withdrawn after {:?}", begun.elapsed());
    house.engine.forget();
    let answer = house.client().chat("tiny", "Hi").await;
    assert_eq!((answer.status, answer.code()), (503, Some("no_node")), "{}", answer.text);
    assert!(house.engine.asked().is_empty(), "llama-server would have answered with whatever it has");
    assert_eq!(house.agent.status().await["hub"]["link"], link, "the tunnel is the same one");
}
