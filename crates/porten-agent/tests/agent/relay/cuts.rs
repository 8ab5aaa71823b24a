//! Answers that end before they are whole, or of which a Mac is lost.

use std::sync::Arc;
use std::time::Duration;

use porten_agent::relay::RelayFacts;
use tokio::io::AsyncWriteExt as _;

use crate::support::engine::{EVENTS, Engine, event};
use crate::support::tunnel::{CHAT, Tunnel, chat, facts};
use crate::support::{ENGINE_ID, soon, write};

/// Fault D4: an answer whose end comes before its `finish_reason` ends in an error event with the trailer `error`, never in `[DONE]`.
#[tokio::test]
async fn an_answer_that_ends_before_its_finish_is_an_error_event_and_never_done() {
    for cut in
        ["", "data: [DONE]\n\n", "data: {\"id\":\"chatc", "data: {\"error\":{\"message\":\"gone\",\"code\":500}}\n\n"]
    {
        let engine = Engine::saying(format!("{EVENTS}{}{cut}", event("Hel", None))).await;
        let tunnel = Tunnel::to(&engine).await;
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert_eq!((got.status, got.end()), (200, "error"), "{cut}");
        assert!(!got.body.contains("[DONE]") && got.body.contains(r#"data: {"error":"#), "{}", got.body);
        let reading = tunnel.ledger.read();
        assert_eq!((reading.traffic.completed, reading.traffic.failed), (0, 1));
    }
}

#[tokio::test]
async fn a_document_of_an_answer_that_was_cut_is_a_502_that_the_hub_does_not_ask_for_elsewhere() {
    let engine = Engine::saying(format!("{EVENTS}{}", event("Hel", None))).await;
    let tunnel = Tunnel::to(&engine).await;
    let got = tunnel.ask(CHAT, &chat(false)).await;
    assert_eq!((got.status, got.code().as_str(), got.end()), (502, "upstream_truncated", "complete"));
    assert_eq!(got.refusal(), None, "the engine had begun");
    let engine = Engine::saying(EVENTS).await;
    let tunnel = Tunnel::to(&engine).await;
    let nothing = tunnel.ask(CHAT, &chat(false)).await;
    assert_eq!((nothing.status, nothing.refusal()), (502, Some("upstream_truncated")), "it produced nothing");
}

/// exo goes on with its keep-alives for 46 s after a Mac died (measured): they are no sign of life.
#[tokio::test]
async fn an_answer_whose_mac_is_lost_ends_at_once_though_the_engine_goes_on_with_comments() {
    let engine = Engine::start(|n, _, mut socket| async move {
        let begun = if n == 0 { event("a", None) } else { String::new() };
        write(&mut socket, &format!("{EVENTS}{begun}")).await;
        while socket.write_all(b": keep-alive\n\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for (begun, status, end) in [(true, 200, "error"), (false, 502, "complete")] {
        let tunnel = Tunnel::to(&engine).await;
        let lost = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let broken = Arc::new(std::collections::BTreeSet::from([ENGINE_ID.to_owned()]));
            tunnel.facts.send_replace(Arc::new(RelayFacts { broken, ..facts(&engine) }));
        };
        let question = chat(begun);
        let (got, ()) = tokio::join!(soon("the answer ends", tunnel.ask(CHAT, &question)), lost);
        assert_eq!((got.status, got.end()), (status, end), "{}", got.body);
        assert!(got.body.contains("member_lost"), "{}", got.body);
    }
}

/// A Mac that is only late to report goes on computing.
#[tokio::test]
async fn an_answer_that_comes_on_is_not_given_up_though_its_machines_are_taken_for_lost() {
    let engine = Engine::start(|_, _, mut socket| async move {
        write(&mut socket, EVENTS).await;
        for _ in 0..45 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            write(&mut socket, &event("a", None)).await;
        }
        write(&mut socket, &format!("{}data: [DONE]\n\n", event("", Some("stop")))).await;
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    let lost = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let broken = Arc::new(std::collections::BTreeSet::from([ENGINE_ID.to_owned()]));
        tunnel.facts.send_replace(Arc::new(RelayFacts { broken, ..facts(&engine) }));
    };
    let question = chat(true);
    let (got, ()) = tokio::join!(soon("the answer ends", tunnel.ask(CHAT, &question)), lost);
    assert_eq!((got.status, got.end()), (200, "complete"), "{}", got.body);
}
