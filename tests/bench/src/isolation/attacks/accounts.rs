//! What an account does with sign-ins, names and keys.

use std::time::Duration;

use porten_tests::process::binary;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::isolation::attacker::{Order, Report, Stage, Tally, is_on};
use crate::isolation::net::{self, ELSEWHERE, Visitor, chat, chat_head, hidden};
use crate::isolation::node::{EVENTS, Event, Node, hello};
use crate::isolation::verdict::Finding;
use porten_tests::frames::{http2, kind};

/// Nodes of one account: as many as a Hub takes in all.
const NODES: usize = 1024;
/// What the preparation of so many sign-ins may take.
const PREPARE: Duration = Duration::from_secs(75);
const HELLOS: usize = 30;
/// Of each name in a hello (bytes).
const NAME: usize = 300_000;
/// A revoked key's stream ends within this time.
const ENDS: Duration = Duration::from_secs(2);

/// A person who is signed in on the Hub's page, and machines that ask.
struct Person {
    visitor: Visitor,
}

impl Person {
    async fn sign_in(order: &Order) -> Result<Self, String> {
        let mut visitor = Visitor::new(order.hub, net::many());
        let csrf = hidden(&visitor.get("/device", None).await?.text, "csrf");
        let (account, passphrase) = (&order.mallory.name, &order.mallory.passphrase);
        let fields =
            [("csrf", csrf.as_str()), ("account", account.as_str()), ("passphrase", passphrase), ("user_code", "")];
        match visitor.form("/device/sign-in", &fields).await?.status {
            303 => Ok(Self { visitor }),
            status => Err(format!("the sign-in page answered {status}")),
        }
    }

    /// A grant for a node of this id: its access token.
    async fn grant(&mut self, node: &str) -> Result<String, String> {
        let mut told = self
            .post("/oauth/device_authorization", &[("client_id", "porten"), ("node", node), ("name", "mac")])
            .await?;
        let text = |told: &Value, key: &str| told[key].as_str().unwrap_or_default().to_owned();
        let (user_code, device_code) = (text(&told, "user_code"), text(&told, "device_code"));
        let page = self.visitor.get(&format!("/device?user_code={user_code}"), None).await?;
        let csrf = hidden(&page.text, "csrf");
        let fields = [("csrf", csrf.as_str()), ("user_code", &user_code), ("answer", "connect")];
        let answered = self.visitor.form("/device", &fields).await?.status;
        if answered != 200 {
            return Err(format!("the approval answered {answered}"));
        }
        let kind = "urn:ietf:params:oauth:grant-type:device_code";
        let fields = [("client_id", "porten"), ("grant_type", kind), ("device_code", &device_code)];
        told = self.post("/oauth/token", &fields).await?;
        let access = text(&told, "access_token");
        if access.is_empty() { Err(format!("no token: {told}")) } else { Ok(access) }
    }

    async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
        let reply = self.visitor.form(path, fields).await?;
        serde_json::from_str(&reply.text).map_err(|_| format!("{path} answered {}", reply.status))
    }
}

pub(super) async fn nodes(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let by = Instant::now() + PREPARE;
    let mut person = Person::sign_in(&order).await?;
    let mut granted = Vec::new();
    while granted.len() < NODES && Instant::now() < by {
        let id = format!("mallory-{}", granted.len() + 2);
        match person.grant(&id).await {
            Ok(access) => granted.push((id, access)),
            Err(why) => {
                tally.count(why);
                break;
            }
        }
    }
    tally.add("sign-ins", granted.len() as u64);
    let until = stage.go()?;
    let mut opening = JoinSet::new();
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(32));
    for (id, access) in granted {
        let (order, tally, turns) = (order.clone(), tally.clone(), std::sync::Arc::clone(&turns));
        opening.spawn(async move {
            let turn = turns.acquire().await.ok()?;
            let node = tokio::time::timeout_at(until, Node::open(order.hub, net::many(), &id, &access)).await;
            drop(turn);
            let node = node.unwrap_or_else(|_| Err("no time left".to_owned()));
            node.map_err(|why| tally.count(why)).ok()
        });
    }
    let standing: Vec<Node> = opening.join_all().await.into_iter().flatten().collect();
    tally.add("connected", standing.len() as u64);
    let (id, access) = &order.spare;
    let honest = Node::open(order.hub, ELSEWHERE, id, access).await;
    tokio::time::sleep_until(until).await;
    let finding = Finding::new(
        "another account's node is taken meanwhile",
        honest.is_ok(),
        honest.map_or_else(|why| why, |_| "welcomed".to_owned()),
    );
    tally.add("connected at the end", standing.iter().filter(|node| node.is_up()).count() as u64);
    Ok(tally.report(vec![finding]))
}

pub(super) async fn hellos(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let (id, access) = &order.mallory.node;
    let mut hello = hello(id);
    for (name, letter) in [("name", "A"), ("agent", "B"), ("platform", "C")] {
        hello[name] = json!(format!("x\nFAKE {}", letter.repeat(NAME)));
    }
    let until = stage.go()?;
    for _ in 0..HELLOS {
        let opened = tokio::time::timeout_at(until, Node::say(order.hub, net::many(), access, &hello)).await;
        match opened {
            Ok(opened) => tally.count(opened.map_or_else(|why| why, |_| "welcomed".to_owned())),
            Err(_) => break,
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep_until(until).await;
    Ok(tally.report(Vec::new()))
}

pub(super) async fn revoked(stage: &mut Stage) -> Result<Report, String> {
    let (order, tally) = (stage.order.clone(), Tally::default());
    let (id, access) = &order.mallory.node;
    let mut node = Node::open(order.hub, net::many(), id, access).await?;
    let until = stage.go()?;
    let mut socket = net::socket(order.hub, net::many()).await?;
    let body = chat("tiny", true);
    let whole = chat_head(&order.mallory.key, body.len()) + &body;
    socket.write_all(whole.as_bytes()).await.map_err(|error| error.to_string())?;
    let reading = tokio::spawn(async move {
        // The connection stays for the next request: what ends is the answer, with its last chunk.
        let mut said = Vec::new();
        while let Ok(1..) = socket.read_buf(&mut said).await {
            if said.ends_with(b"\r\n0\r\n\r\n") {
                break;
            }
        }
        (said.len(), Instant::now())
    });
    let writer = node.writer();
    let answering = tokio::spawn(async move {
        while let Some(event) = node.events.recv().await {
            if let Event::Whole(stream) = event {
                writer.head(stream, &EVENTS).await?;
                let event = b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
                while is_on(until) {
                    writer.octets(&http2(kind::DATA, 0, stream, event)).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        Ok::<(), String>(())
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let revoke = Command::new(binary("porten-hub"))
        .args(["key", "revoke", &order.mallory.key_number, "--state"])
        .arg(&order.state)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    let (told, at) = (revoke.status.success(), Instant::now());
    tally.count(if told { "revoked" } else { "porten-hub key revoke failed" });
    let ended = tokio::time::timeout_at(until, reading).await;
    answering.abort();
    let what = "a revoked key's stream ends within 2 s";
    let finding = match ended {
        Ok(Ok((bytes, end))) => {
            let took = end.saturating_duration_since(at);
            let is_ok = told && bytes > 0 && took <= ENDS;
            Finding::new(what, is_ok, format!("after {} ms and {bytes} bytes", took.as_millis()))
        }
        _ => Finding::new(what, false, "it went on"),
    };
    tokio::time::sleep_until(until).await;
    Ok(tally.report(vec![finding]))
}
