//! Connections that say nothing, not all, or are gone at once.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::isolation::attacker::{Report, Stage, Tally, is_on};
use crate::isolation::net;

const SILENT: usize = 1100;
const HALF_HEADS: usize = 9217;
/// Of a head that does not end (bytes).
const HEAD: usize = 60 * 1024;
/// Connections that are opened at a time.
const AT_A_TIME: usize = 64;
/// Connections a second, and in all.
const CHURN: u32 = 2000;
const MOST: u32 = 30_000;

pub(super) async fn silent(stage: &mut Stage) -> Result<Report, String> {
    hold(stage, SILENT, false).await
}

pub(super) async fn half_heads(stage: &mut Stage) -> Result<Report, String> {
    hold(stage, HALF_HEADS, true).await
}

/// Opens so many connections and holds each for as long as the Hub does.
async fn hold(stage: &mut Stage, count: usize, half_a_head: bool) -> Result<Report, String> {
    let (hub, tally) = (stage.order.hub, Tally::default());
    let until = stage.go()?;
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(AT_A_TIME));
    let mut held = JoinSet::new();
    for _ in 0..count {
        let (tally, turns) = (tally.clone(), std::sync::Arc::clone(&turns));
        held.spawn(async move {
            let Ok(turn) = turns.acquire().await else { return };
            if !is_on(until) {
                return tally.count("no time left");
            }
            let opened = tokio::time::timeout_at(until, net::socket(hub, net::many())).await;
            let Ok(Ok(mut socket)) = opened else { return tally.count("no connection") };
            if half_a_head {
                let head = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(HEAD));
                // A Hub that does not read on is content.
                let _ = tokio::time::timeout(Duration::from_secs(1), socket.write_all(head.as_bytes())).await;
            }
            drop(turn);
            let ended = tokio::time::timeout_at(until, socket.read(&mut [0; 256])).await;
            tally.count(if ended.is_ok() { "ended by the Hub" } else { "held" });
        });
    }
    held.join_all().await;
    Ok(tally.report(Vec::new()))
}

pub(super) async fn churn(stage: &mut Stage) -> Result<Report, String> {
    let (hub, tally) = (stage.order.hub, Tally::default());
    let until = stage.go()?;
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for number in 0..MOST {
        if !is_on(until) {
            break;
        }
        tokio::time::sleep_until(begun + Duration::from_secs(1) / CHURN * number).await;
        let tally = tally.clone();
        running.spawn(async move {
            match net::socket(hub, net::many()).await {
                Ok(socket) => {
                    // A reset: nothing lingers in the kernel of whoever runs this.
                    let _ = socket.set_zero_linger();
                    tally.count("opened");
                }
                Err(_) => tally.count("no connection"),
            }
        });
        while running.len() > AT_A_TIME {
            running.join_next().await;
        }
    }
    running.join_all().await;
    Ok(tally.report(Vec::new()))
}
