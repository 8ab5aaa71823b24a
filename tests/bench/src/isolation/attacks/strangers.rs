//! Floods by strangers without an account.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::isolation::attacker::{Report, Stage, Tally, is_on};
use crate::isolation::net::{self, ELSEWHERE, STRANGER, Visitor, hidden};
use crate::isolation::verdict::Finding;

/// Requests that one attack sends at most.
const MOST: u64 = 40_000;
/// Clients of a flood of passphrases.
const HASHERS: usize = 64;
/// How long a client that leaves waits before it does.
const LEAVES: Duration = Duration::from_millis(5);
/// In the middle of a flood somebody honest comes.
const HONEST: Duration = Duration::from_secs(2);

const CODES: &str = "/oauth/device_authorization";

pub(super) async fn sign_ins(stage: &mut Stage) -> Result<Report, String> {
    let (hub, tally) = (stage.order.hub, Tally::default());
    let until = stage.go()?;
    let mut floods = JoinSet::new();
    for _ in 0..16 {
        let tally = tally.clone();
        floods.spawn(async move {
            let mut visitor = Visitor::new(hub, STRANGER);
            for _ in 0..MOST / 16 {
                if !is_on(until) {
                    break;
                }
                let reply = visitor.form(CODES, &[("client_id", "porten"), ("node", "x"), ("name", "x")]).await;
                tally.reply(&reply);
            }
        });
    }
    floods.join_all().await;
    let honest = Visitor::new(hub, ELSEWHERE)
        .form(CODES, &[("client_id", "porten"), ("node", "honest"), ("name", "Anna's Mac")])
        .await;
    let seen = honest.map_or_else(|why| why, |reply| format!("status {}", reply.status));
    let finding = Finding::new("an honest sign-in from another address is begun", seen == "status 200", seen);
    Ok(tally.report(vec![finding]))
}

pub(super) async fn hashes(stage: &mut Stage) -> Result<Report, String> {
    flood_with_hashes(stage, None).await
}

pub(super) async fn hashes_left(stage: &mut Stage) -> Result<Report, String> {
    flood_with_hashes(stage, Some(LEAVES)).await
}

async fn flood_with_hashes(stage: &mut Stage, leaves: Option<Duration>) -> Result<Report, String> {
    let (hub, tally, mallory) = (stage.order.hub, Tally::default(), stage.order.mallory.clone());
    let until = stage.go()?;
    let mut floods = JoinSet::new();
    for client in 0..HASHERS {
        let tally = tally.clone();
        floods.spawn(async move {
            let mut visitor = Visitor::new(hub, STRANGER);
            let Ok(page) = visitor.get("/device", None).await else { return tally.count("no page") };
            let csrf = hidden(&page.text, "csrf");
            for number in 0..MOST / HASHERS as u64 {
                if !is_on(until) {
                    break;
                }
                let account = format!("nobody-{client}-{number}");
                let fields = [("csrf", csrf.as_str()), ("account", &account), ("passphrase", "x"), ("user_code", "")];
                let asking = visitor.form("/device/sign-in", &fields);
                match leaves {
                    None => tally.reply(&asking.await),
                    Some(after) => match tokio::time::timeout(after, asking).await {
                        Ok(reply) => tally.reply(&reply),
                        Err(_) => {
                            visitor.leave();
                            tally.count("left");
                        }
                    },
                }
            }
        });
    }
    tokio::time::sleep(HONEST).await;
    let honest = sign_in(hub, &mallory.name, &mallory.passphrase).await;
    floods.join_all().await;
    let what = "the right passphrase is taken from another address meanwhile";
    let finding = match honest {
        Ok((303, took)) => Finding::new(what, true, format!("after {} ms", took.as_millis())),
        Ok((status, took)) => Finding::new(what, false, format!("status {status} after {} ms", took.as_millis())),
        Err(why) => Finding::new(what, false, why),
    };
    Ok(tally.report(vec![finding]))
}

async fn sign_in(hub: std::net::SocketAddr, account: &str, passphrase: &str) -> Result<(u16, Duration), String> {
    let begun = Instant::now();
    let mut visitor = Visitor::new(hub, ELSEWHERE);
    let page = visitor.get("/device", None).await?;
    let csrf = hidden(&page.text, "csrf");
    let fields = [("csrf", csrf.as_str()), ("account", account), ("passphrase", passphrase), ("user_code", "")];
    Ok((visitor.form("/device/sign-in", &fields).await?.status, begun.elapsed()))
}

pub(super) async fn keys(stage: &mut Stage) -> Result<Report, String> {
    let (hub, tally) = (stage.order.hub, Tally::default());
    let until = stage.go()?;
    let mut floods = JoinSet::new();
    for client in 0..32_u64 {
        let tally = tally.clone();
        floods.spawn(async move {
            let mut visitor = Visitor::new(hub, net::many());
            for number in 0..MOST / 32 {
                if !is_on(until) {
                    break;
                }
                let key = format!("porten_key_{client:032x}{number:032x}");
                tally.reply(&visitor.get("/v1/models", Some(&key)).await);
            }
        });
    }
    floods.join_all().await;
    Ok(tally.report(Vec::new()))
}
