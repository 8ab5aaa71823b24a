//! Places at the engine: how many it is asked for at a time, who waits, what fits its memory, and what came twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use porten_agent::relay::{Limits, RelayFacts};
use porten_core::relay::queue::MAX_WAITING;
use porten_core::relay::{Bound, Bounds, Serving};
use porten_core::snapshot::TrafficView;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::support::engine::{EVENTS, Engine, event, stream, until_closed};
use crate::support::tunnel::{CHAT, Got, Tunnel, chat, facts, next, read};
use crate::support::{soon, until, write};

/// An engine that begins each answer at once and ends it when it gets a permit; it knows how many ran at a time.
struct Gated {
    engine: Engine,
    gate: Arc<Semaphore>,
    most: Arc<AtomicUsize>,
}

impl Gated {
    async fn start() -> Self {
        let (gate, most, now) =
            (Arc::new(Semaphore::new(0)), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (gate_of, most_of) = (Arc::clone(&gate), Arc::clone(&most));
        let engine = Engine::start(move |_, _, mut socket| {
            let (gate, most, now) = (Arc::clone(&gate_of), Arc::clone(&most_of), Arc::clone(&now));
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                write(&mut socket, &format!("{EVENTS}{}", event("Hel", None))).await;
                tokio::select! {
                    permit = gate.acquire() => permit.unwrap().forget(),
                    () = until_closed(&mut socket) => {}
                }
                // Whoever reads the end may ask for the next before this task goes on.
                now.fetch_sub(1, Ordering::SeqCst);
                write(&mut socket, stream(&["lo"]).trim_start_matches(EVENTS)).await;
            }
        })
        .await;
        Self { engine, gate, most }
    }

    /// A tunnel to it under these bounds of the model `tiny`.
    async fn under(&self, bound: Bound, lower: impl FnOnce(&mut Limits)) -> Tunnel {
        let mut limits = Limits::default();
        lower(&mut limits);
        let tunnel = Tunnel::with(&self.engine, limits).await;
        let bounds = Arc::new(Bounds { at_once: None, models: [("tiny".to_owned(), bound)].into() });
        tunnel.facts.send_replace(Arc::new(RelayFacts { bounds, ..facts(&self.engine) }));
        tunnel
    }

    async fn asked(&self, times: usize) {
        until("the engine is asked", || self.engine.seen().len() >= times).await;
    }
}

const fn at_once(most: u32) -> Bound {
    Bound { at_once: Some(most), context: None, together: None }
}

async fn ask_as(tunnel: &Tunnel, id: &str, body: &str) -> Got {
    read(tunnel.post_as(id, CHAT, body).await).await
}

fn assert_whole(got: &Got) {
    assert_eq!((got.status, got.end()), (200, "complete"), "{}", got.body);
}

/// Fault B10: what is beyond the places and the line is refused with 429 and a time, and the engine never sees more than its cap.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_at_once_the_engine_sees_eight_and_all_are_answered_in_the_end() {
    let gated = Gated::start().await;
    let tunnel = Arc::new(gated.under(at_once(8), |_| {}).await);
    let refused = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for n in 0..200 {
        let (tunnel, refused) = (Arc::clone(&tunnel), Arc::clone(&refused));
        clients.spawn(async move {
            loop {
                let got = ask_as(&tunnel, &format!("r{n}"), &chat(true)).await;
                if got.status == 200 {
                    return assert_whole(&got);
                }
                assert_eq!((got.status, got.code().as_str(), got.refusal()), (429, "at_capacity", Some("at_capacity")));
                assert!(got.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
                refused.fetch_add(1, Ordering::SeqCst);
                // A client of a Hub would wait as long as it was told to.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
    gated.asked(8).await;
    until("the line is full", || refused.load(Ordering::SeqCst) >= 200 - 8 - MAX_WAITING).await;
    assert_eq!(gated.engine.seen().len(), 8);
    gated.gate.add_permits(10_000);
    soon("all are answered", clients.join_all()).await;
    assert_eq!((gated.most.load(Ordering::SeqCst), gated.engine.seen().len()), (8, 200));
    assert_eq!(tunnel.ledger.read().traffic.completed, 200);
}

#[tokio::test]
async fn who_waits_for_its_turn_gets_keep_alives_and_its_answer_after_them() {
    let gated = Gated::start().await;
    let tunnel = gated.under(at_once(1), |limits| limits.quiet = Duration::from_millis(200)).await;
    let mut first = soon("a head", tunnel.post_as("a", CHAT, &chat(true)).await).await.unwrap().into_body();
    assert!(next(&mut first).await.is_some());
    let open = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        gated.gate.add_permits(2);
    };
    let body = chat(true);
    let (second, ()) = tokio::join!(ask_as(&tunnel, "b", &body), open);
    assert_whole(&second);
    assert!(second.body.starts_with(": keep-alive\n\n"), "{}", second.body);
    assert_eq!(gated.most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_leaves_the_line_leaves_its_place_in_it_and_never_reaches_the_engine() {
    let gated = Gated::start().await;
    let tunnel = gated.under(at_once(1), |_| {}).await;
    let first = tunnel.post_as("a", CHAT, &chat(true)).await;
    gated.asked(1).await;
    let waits = tunnel.post_as("b", CHAT, &chat(true)).await;
    let third = tunnel.post_as("c", CHAT, &chat(false)).await;
    drop(waits);
    gated.gate.add_permits(2);
    assert_whole(&read(first).await);
    assert_whole(&read(third).await);
    let seen: Vec<_> = gated.engine.seen().iter().filter_map(|seen| seen.header("x-request-id")).collect();
    assert_eq!(seen, ["a", "c"]);
    // A client that leaves its answer gives its place back as well.
    let leaves = tunnel.post_as("d", CHAT, &chat(true)).await;
    gated.asked(3).await;
    let waits = tunnel.post_as("e", CHAT, &chat(true)).await;
    drop(leaves);
    gated.asked(4).await;
    gated.gate.add_permits(1);
    assert_whole(&read(waits).await);
}

#[tokio::test]
async fn who_waits_while_the_node_drains_or_too_long_is_refused_so_that_another_may_answer() {
    let gated = Gated::start().await;
    let tunnel = gated.under(at_once(1), |limits| limits.turn = Duration::from_millis(300)).await;
    let _first = tunnel.post_as("a", CHAT, &chat(true)).await;
    gated.asked(1).await;
    let late = ask_as(&tunnel, "b", &chat(true)).await;
    assert_eq!((late.status, late.refusal()), (429, Some("at_capacity")), "{}", late.body);
    assert!(late.headers.contains_key("retry-after"));
    let patient = gated.under(at_once(1), |_| {}).await;
    let _running = patient.post_as("a", CHAT, &chat(true)).await;
    gated.asked(2).await;
    let waits = patient.post_as("b", CHAT, &chat(true)).await;
    patient.facts.send_modify(|facts| *facts = Arc::new(RelayFacts { draining: true, ..(**facts).clone() }));
    let drained = read(waits).await;
    assert_eq!((drained.status, drained.refusal()), (503, Some("draining")), "{}", drained.body);
    assert_eq!(gated.engine.seen().len(), 2);
}

#[tokio::test]
async fn a_model_that_goes_while_its_request_waits_is_not_asked_for() {
    let gated = Gated::start().await;
    let tunnel = gated.under(at_once(1), |_| {}).await;
    let first = tunnel.post_as("a", CHAT, &chat(true)).await;
    gated.asked(1).await;
    let waits = tunnel.post_as("b", CHAT, &chat(true)).await;
    // A round trip later it stands in the line.
    assert_eq!(ask_as(&tunnel, "c", "{").await.status, 400);
    tunnel.facts.send_modify(|facts| {
        *facts = Arc::new(RelayFacts { serving: Arc::new(Serving::default()), ..(**facts).clone() });
    });
    gated.gate.add_permits(2);
    assert_whole(&read(first).await);
    let gone = read(waits).await;
    assert_eq!((gone.status, gone.refusal()), (404, Some("model_not_found")), "{}", gone.body);
    assert_eq!(gated.engine.seen().len(), 1);
}

#[tokio::test]
async fn a_prompt_beyond_the_promised_context_is_a_400_with_the_numbers_and_never_reaches_the_engine() {
    let gated = Gated::start().await;
    let bound = Bound { context: Some(1024), ..Bound::default() };
    let tunnel = gated.under(bound, |_| {}).await;
    gated.gate.add_permits(1);
    let long = chat(true).replace("hi", &"word ".repeat(700));
    let got = ask_as(&tunnel, "a", &long).await;
    assert_eq!((got.status, got.code().as_str(), got.refusal()), (400, "context_length_exceeded", None));
    assert!(got.body.contains("1172 tokens (3516 bytes of text") && got.body.contains("holds 1024"), "{}", got.body);
    assert!(gated.engine.seen().is_empty());
    assert_whole(&ask_as(&tunnel, "b", &chat(true)).await);
    assert_eq!(tunnel.ledger.read().traffic.refused, 1);
}

#[tokio::test]
async fn requests_that_do_not_fit_the_memory_together_are_told_when_to_come_again() {
    let gated = Gated::start().await;
    let bound = Bound { context: Some(4096), together: Some(4096), at_once: None };
    let tunnel = gated.under(bound, |_| {}).await;
    let large = chat(true).replace("hi", &"word ".repeat(2000));
    let first = tunnel.post_as("a", CHAT, &large).await;
    gated.asked(1).await;
    let second = ask_as(&tunnel, "b", &large).await;
    assert_eq!((second.status, second.code().as_str(), second.refusal()), (429, "memory_taken", Some("memory_taken")));
    assert!(second.headers.contains_key("retry-after"));
    gated.gate.add_permits(2);
    assert_whole(&read(first).await);
    assert_whole(&ask_as(&tunnel, "b", &large).await);
}

#[tokio::test]
async fn a_request_that_comes_again_while_it_runs_is_computed_once_and_counted_once() {
    for is_stream in [true, false] {
        let gated = Gated::start().await;
        let tunnel = gated.under(at_once(1), |_| {}).await;
        let first = tunnel.post_as("same", CHAT, &chat(is_stream)).await;
        gated.asked(1).await;
        let begun = Instant::now();
        let second = tunnel.post_as("same", CHAT, &chat(is_stream)).await;
        gated.asked(2).await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        let first = read(first).await;
        assert!(first.body.contains("superseded") && !first.body.contains("[DONE]"), "{}", first.body);
        assert_eq!(first.refusal(), None, "nobody is to ask elsewhere for it");
        gated.gate.add_permits(1);
        assert_whole(&read(second).await);
        assert_eq!(gated.most.load(Ordering::SeqCst), 1, "the engine was left before it was asked again");
        let traffic = tunnel.ledger.read().traffic;
        assert_eq!((traffic.completed, traffic.in_flight), (1, 0));
        assert_eq!((traffic.cancelled, traffic.failed, traffic.refused), (0, 0, 0), "{traffic:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_used_for_another_prompt_is_another_request() {
    let gated = Gated::start().await;
    let tunnel = gated.under(Bound::default(), |_| {}).await;
    let first = tunnel.post_as("same", CHAT, &chat(true)).await;
    let other = tunnel.post_as("same", CHAT, &chat(true).replace("hi", "ho")).await;
    gated.asked(2).await;
    gated.gate.add_permits(2);
    assert_whole(&read(first).await);
    assert_whole(&read(other).await);
}

#[tokio::test]
async fn a_prompt_that_was_cut_has_not_lost_its_turn() {
    let gated = Gated::start().await;
    let tunnel = gated.under(at_once(1), |_| {}).await;
    let cut = tunnel.post_as("cut", CHAT, &chat(true)).await;
    gated.asked(1).await;
    drop(cut);
    until("it is left", || tunnel.ledger.read().traffic == TrafficView { cancelled: 1, ..TrafficView::default() })
        .await;
    let running = tunnel.post_as("a", CHAT, &chat(true)).await;
    gated.asked(2).await;
    let waits = tunnel.post_as("b", CHAT, &chat(true)).await;
    let again = tunnel.post_as("cut", CHAT, &chat(true)).await;
    // A round trip later both stand in the line.
    assert_eq!(ask_as(&tunnel, "c", "{").await.status, 400);
    gated.gate.add_permits(3);
    for got in [running, waits, again] {
        assert_whole(&read(got).await);
    }
    let seen: Vec<_> = gated.engine.seen().iter().filter_map(|seen| seen.header("x-request-id")).collect();
    assert_eq!(seen, ["cut", "a", "cut", "b"]);
}
