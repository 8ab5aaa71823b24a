//! Control messages that are legal by their length and cost more than they should.

use std::time::Duration;

use serde_json::{Value, json};

use crate::isolation::attacker::{Report, Stage, Tally, is_on};
use crate::isolation::net;
use crate::isolation::node::{Node, advert, advert_of, hello};

/// Between two adverts of a megabyte.
const EVERY: Duration = Duration::from_millis(250);
/// Small messages that are sent at most.
const MOST: u64 = 200_000;
/// A node that was thrown out comes back after this time.
const BACK: Duration = Duration::from_millis(50);

pub(super) async fn big(stage: &mut Stage) -> Result<Report, String> {
    let models = |round: usize| {
        let id = move |number: usize| format!("{}{number:05}{}", "x".repeat(194), round % 10);
        (0..4500).map(|number| json!({"id": id(number), "routes": []})).collect::<Vec<_>>()
    };
    repeat(stage, [models(0), models(1)]).await
}

pub(super) async fn many(stage: &mut Stage) -> Result<Report, String> {
    let models = |round: usize| {
        (0..22_000)
            .map(|number| json!({"id": format!("{number:05}{round}"), "routes": [], "proven_s": 0}))
            .collect::<Vec<_>>()
    };
    repeat(stage, [models(0), models(1)]).await
}

/// The two in turn, so that each is news.
async fn repeat(stage: &mut Stage, adverts: [Vec<Value>; 2]) -> Result<Report, String> {
    let (hub, tally, (id, access)) = (stage.order.hub, Tally::default(), stage.order.mallory.node.clone());
    let mut node = Some(Node::say(hub, net::many(), &access, &hello(&id)).await?);
    let until = stage.go()?;
    for (number, models) in (1..).zip(adverts.iter().cycle()) {
        if !is_on(until) {
            break;
        }
        let standing = match node.take() {
            Some(node) if node.is_up() => Ok(node),
            _ => Node::say(hub, net::many(), &access, &hello(&id)).await,
        };
        match standing {
            Ok(standing) => {
                let sent = standing.writer().text(&advert_of(number, models)).await;
                tally.count(sent.map_or_else(|why| why, |()| "sent".to_owned()));
                tokio::time::sleep(EVERY).await;
                tally.count(if standing.is_up() { "link up" } else { "link ended" });
                node = Some(standing);
            }
            Err(why) => {
                tally.count(why);
                tokio::time::sleep(EVERY).await;
            }
        }
    }
    Ok(tally.report(Vec::new()))
}

pub(super) async fn flood(stage: &mut Stage) -> Result<Report, String> {
    let (hub, tally, (id, access)) = (stage.order.hub, Tally::default(), stage.order.mallory.node.clone());
    let until = stage.go()?;
    let mut sent = 0;
    while is_on(until) && sent < MOST {
        match Node::say(hub, net::many(), &access, &hello(&id)).await {
            Ok(node) => {
                let writer = node.writer();
                while is_on(until) && node.is_up() && sent < MOST {
                    let message =
                        if sent.is_multiple_of(2) { advert(sent) } else { json!({"type": "pong_stats", "rtt_ms": 1}) };
                    if writer.text(&message).await.is_err() {
                        break;
                    }
                    sent += 1;
                    tally.count("sent");
                }
                tally.count("link ended");
            }
            Err(why) => tally.count(why),
        }
        tokio::time::sleep(BACK).await;
    }
    Ok(tally.report(Vec::new()))
}
