//! Holds one node's tunnel, from its upgrade to its end.
//!
//! ```text
//! GET /v1/node/tunnel ─ 401 no good token · 429 too often · 503 full · 426/400 no porten.v1 WebSocket ─► plain answer
//!        │ 101
//!     hello ── late 4408 · not a hello, binary, another node 1002 ─► closed
//!        │ welcome, HTTP/2
//!      joined ── older connection of the node 4409 · revoked 4401 · Hub stops 1012 · broken message 1002 · too much 1008 ─► closed
//! ```

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use hyper_util::rt::TokioIo;
use porten_core::api_error::ApiError;
use porten_core::display_text::sanitize;
use porten_core::machine_name::sanitize_machine_name;
use porten_core::wire::{
    self, Advert, Drain, FromAgent, FromHub, Goodbye, GoodbyeReason, Hello, Limits, MAX_ADVERT_MODELS, MAX_BODY,
    MAX_MODEL_ID, MAX_STREAMS, SUBPROTOCOL, Traffic, Wake, Welcome, close,
};
use porten_link::{Control, Opened, Outgoing, http2};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::answer;
use crate::bearer;
use crate::clock;
use crate::hub::Hub;
use crate::limit::{Rule, Tally};
use crate::nodes::{Farewell, Full, Held, MAX_ACCOUNT_NODES, Member, Opening};
use crate::quota;
use crate::store::Bearer;
use crate::strangers::Connection;
use crate::traffic::is_news;

/// Control messages a node may send; an agent that says everything it knows each second stays below it.
const MESSAGES: Rule = Rule { times: 600, window: 60_000 };
/// The longest control message that is read (bytes): the longest advert has some 80 KiB.
const MAX_MESSAGE: usize = 128 * 1024;
/// The longest hello (bytes).
const MAX_HELLO: usize = 4 * 1024;
/// The most of an agent's version and of its platform that is kept (characters).
const MAX_WORD: usize = 64;
/// When to dial again (seconds) where the account's nodes dialled too often, the Hub is full, or the account is.
const TOO_OFTEN_RETRY: u32 = 10;
const HUB_FULL_RETRY: u32 = 30;
const ACCOUNT_FULL_RETRY: u32 = 300;
/// How long a node has to take a goodbye before its socket is dropped.
const GOODBYE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// `GET /v1/node/tunnel`
pub(crate) async fn open(State(hub): State<Arc<Hub>>, mut request: Request) -> Response {
    let (bearer, opening) = match admit(&hub, request.headers()).await {
        Ok(admitted) => admitted,
        Err(refusal) => return refusal,
    };
    let accept = match accept(request.headers()) {
        Ok(accept) => accept,
        Err(refusal) => return *refusal,
    };
    if let Some(who) = request.extensions().get::<Arc<Connection>>() {
        who.is_tunnel();
    }
    let upgrade = hyper::upgrade::on(&mut request);
    let span = tracing::info_span!("tunnel", account = ?bearer.account_name, node = ?bearer.node);
    let held = {
        let hub = Arc::clone(&hub);
        async move {
            match tokio::time::timeout(hub.timing.hello_patience, upgrade).await {
                Ok(Ok(io)) => hold(&hub, bearer, opening, porten_link::accept(TokioIo::new(io)).await).await,
                Ok(Err(_)) | Err(_) => tracing::info!("the node left before the upgrade was done"),
            }
        }
    };
    hub.tunnels.spawn(held.instrument(span));
    accept
}

/// Who wants to open a tunnel.
async fn admit(hub: &Hub, headers: &HeaderMap) -> Result<(Bearer, Opening), Response> {
    let found = match bearer::read(headers) {
        Some(token) => hub.store.bearer(token, clock::now()).await.map_err(|error| {
            hub.broken(&error);
            answer::error(&answer::broken())
        })?,
        None => None,
    };
    let Some(bearer) = found else {
        let text = "This access token is not good, or no more: refresh it or sign in.";
        let mut refusal = answer::error(&ApiError::new(401, "authentication_error", "invalid_token", text));
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return Err(refusal);
    };
    if !hub.quotas.spend(bearer.account, quota::OPENING) {
        let text = "Nodes of this account connect too often. Try again in a moment.";
        let refusal = ApiError::new(429, "rate_limit_error", "too_many_connections", text);
        return Err(answer::error(&refusal.retry_after(TOO_OFTEN_RETRY)));
    }
    match hub.nodes.open(bearer.account, &bearer.node) {
        Ok(opening) => Ok((bearer, opening)),
        Err(full) => Err(answer::error(&no_place(full))),
    }
}

fn no_place(full: Full) -> ApiError {
    match full {
        Full::Hub => {
            ApiError::unavailable(503, "hub_full", "This Hub takes no more nodes now.").retry_after(HUB_FULL_RETRY)
        }
        Full::Account => {
            let text = format!("{MAX_ACCOUNT_NODES} nodes of this account are connected, and one may have no more.");
            ApiError::unavailable(503, "account_full", text).retry_after(ACCOUNT_FULL_RETRY)
        }
    }
}

/// The 101 for a request that asks for our WebSocket, or why it gets none (RFC 6455, 4.2).
fn accept(headers: &HeaderMap) -> Result<Response, Box<Response>> {
    let lists = |name, word: &str| {
        let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    let refuse = |status, code, text, name, value| {
        let mut refusal = answer::error(&ApiError::new(status, "invalid_request_error", code, text));
        refusal.headers_mut().insert(name, HeaderValue::from_static(value));
        Box::new(refusal)
    };
    if !lists(header::CONNECTION, "upgrade") || !lists(header::UPGRADE, "websocket") {
        let text = "Nodes open their tunnel here with a WebSocket upgrade.";
        return Err(refuse(426, "upgrade_required", text, header::UPGRADE, "websocket"));
    }
    if !lists(header::SEC_WEBSOCKET_VERSION, "13") {
        let text = "This Hub speaks WebSocket version 13.";
        return Err(refuse(426, "websocket_version", text, header::SEC_WEBSOCKET_VERSION, "13"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let (Some(key), true) = (key, lists(header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)) else {
        let text = "This Hub speaks the subprotocol porten.v1 only.";
        return Err(refuse(400, "subprotocol", text, header::SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL));
    };
    let mut switched = Response::new(Body::empty());
    *switched.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = switched.headers_mut();
    answer.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    if let Ok(proof) = HeaderValue::try_from(porten_link::accept_key(key.as_bytes())) {
        answer.insert(header::SEC_WEBSOCKET_ACCEPT, proof);
    }
    Ok(switched)
}

type Socket = TokioIo<hyper::upgrade::Upgraded>;

async fn hold(hub: &Arc<Hub>, bearer: Bearer, opening: Opening, mut opened: Opened<Socket>) {
    let hello = match tokio::time::timeout(hub.timing.hello_patience, opened.receive()).await {
        Ok(Ok(text)) => text,
        Ok(Err(end)) => return tracing::info!(%end, "the node left before its hello"),
        Err(_) => return opened.close(close::HELLO_TIMEOUT, "no hello in time").await,
    };
    let hello = match greet(&hello, &bearer) {
        Ok(hello) => hello,
        Err(text) => return refuse(opened, text).await,
    };
    tracing::info!(name = ?hello.name, agent = ?hello.agent, platform = ?hello.platform, "a node said hello");
    let mut catalog = hub.catalog.subscribe();
    let welcome = Welcome {
        node: bearer.node.clone(),
        account: bearer.account_name.clone(),
        limits: Limits { max_streams: MAX_STREAMS, max_body_bytes: MAX_BODY as u64 },
        catalog: catalog.borrow_and_update().listed(),
    };
    if let Err(end) = opened.send(wire::write(&FromHub::Welcome(welcome))).await {
        return tracing::info!(%end, "the node left before its welcome");
    }
    let (bytes, control) = opened.into_bounded_link(hub.timing.beat, MAX_MESSAGE);
    let Ok(Ok((calls, connection))) =
        tokio::time::timeout(hub.timing.hello_patience, http2::call_within(bytes, opening.frame_budget())).await
    else {
        return tracing::info!("the node left before HTTP/2 began");
    };
    // The connection carries data, pings and control messages: it is polled for as long as the tunnel lives.
    let mut driver = tokio::spawn(async move { drop(connection.await) });
    match hub.nodes.join(&bearer, calls, opening) {
        None => say_goodbye(&control, Farewell::Restart { within_s: 0 }).await,
        Some(member) => {
            // The grant may have ended between the check of the token and here.
            match hub.store.note_connected(bearer.grant, clock::now()).await {
                Ok(None) => hub.nodes.revoke(&[bearer.grant]),
                Ok(Some(held)) => member.hold(held),
                Err(error) => drop(hub.broken(&error)),
            }
            tend(hub, bearer.account, member, control, &mut catalog).await;
        }
    }
    if tokio::time::timeout(GOODBYE_PATIENCE, &mut driver).await.is_err() {
        driver.abort();
    }
}

/// The hello, if it is one and from the node that the person said yes to. What it says is made fit to be shown.
fn greet(text: &str, bearer: &Bearer) -> Result<Hello, &'static str> {
    if text.len() > MAX_HELLO {
        return Err("The hello is too long.");
    }
    match wire::read_from_agent(text) {
        Ok(Some(FromAgent::Hello(hello))) if hello.node == bearer.node => Ok(Hello {
            node: hello.node,
            name: sanitize_machine_name(&hello.name),
            agent: sanitize(&hello.agent, MAX_WORD),
            platform: sanitize(&hello.platform, MAX_WORD),
        }),
        Ok(Some(FromAgent::Hello(_))) => Err("This sign-in belongs to another node. Sign in on this one."),
        Ok(_) => Err("The first message must be a hello."),
        Err(_) => Err("The hello does not read."),
    }
}

async fn refuse(mut opened: Opened<Socket>, text: &'static str) {
    tracing::warn!(text, "a node was turned away");
    let goodbye = Goodbye::new(GoodbyeReason::Protocol, text);
    // It may have left already.
    let _ = opened.send(wire::write(&FromHub::Goodbye(goodbye))).await;
    opened.close(close::PROTOCOL, text).await;
}

/// Serves the control half until the tunnel ends.
async fn tend(
    hub: &Hub,
    account: i64,
    mut member: Member,
    mut control: Control,
    catalog: &mut tokio::sync::watch::Receiver<Arc<crate::Catalog>>,
) {
    let retell = hub.timing.retell;
    let mut messages = Tally::default();
    let mut told = Told::default();
    let mut look = tokio::time::interval_at(Instant::now() + retell, retell);
    // When to say where the node stands, if that had to wait; what happens meanwhile is told with it.
    let mut due: Option<Instant> = None;
    // When to hear the next message, if the account's nodes say more than there is time for.
    let mut deaf_until: Option<Instant> = None;
    let farewell = loop {
        let mut news = tokio::select! {
            // That the Hub is about to stop goes before its goodbye, and both before what a node says without end.
            biased;
            () = member.stir.notified() => News { first: told.stirred(&member), traffic: true, ..News::default() },
            Some(farewell) = member.farewell.recv() => break Some(farewell),
            Some(model) = member.wakes.recv() => News::only(wire::write(&FromHub::Wake(Wake { model }))),
            Ok(()) = catalog.changed() => {
                News { traffic: true, ..News::only(catalog.borrow_and_update().message()) }
            }
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                due = None;
                News::only(told.traffic(&member, &catalog.borrow()))
            }
            _ = look.tick() => News { first: told.news(&member, &catalog.borrow()), ..News::default() },
            () = tokio::time::sleep_until(deaf_until.unwrap_or_else(Instant::now)), if deaf_until.is_some() => {
                deaf_until = None;
                News::default()
            }
            text = control.incoming.recv(), if deaf_until.is_none() => {
                let Some(text) = text else { break None };
                let wait = hub.quotas.pace(account, quota::reading(text.len()));
                if !wait.is_zero() {
                    deaf_until = Some(Instant::now() + wait);
                }
                if !messages.count(MESSAGES, clock::now()) {
                    return shut(&control, close::POLICY, "too many control messages").await;
                }
                if !hub.quotas.hear(account, text.len()) {
                    return shut(&control, close::POLICY, "this account's nodes say too much").await;
                }
                match heed(&text, &member) {
                    Ok(news) => news,
                    Err((code, text)) => return shut(&control, code, text).await,
                }
            }
        };
        if std::mem::take(&mut news.traffic) && due.is_none() {
            let wait = hub.quotas.pace(account, member.work());
            if wait.is_zero() {
                news.first.push(told.traffic(&member, &catalog.borrow()));
            } else {
                due = Some(Instant::now() + wait);
            }
        }
        for text in news.first.into_iter().chain(news.last) {
            if control.outgoing.send(Outgoing::Text(text)).await.is_err() {
                break;
            }
        }
    };
    match farewell {
        Some(farewell) => {
            // Nothing new is placed here while the goodbye travels.
            drop(member);
            say_goodbye(&control, farewell).await;
        }
        None => {
            let end = control.end.borrow().clone();
            tracing::info!(?end, "the tunnel ended");
        }
    }
}

/// What a node was told last, so that it is told anew only what is news.
#[derive(Default)]
struct Told {
    traffic: Option<(Traffic, Instant)>,
    held: Option<Held>,
}

impl Told {
    /// Where the node stands, whether it is news or not.
    fn traffic(&mut self, member: &Member, catalog: &crate::Catalog) -> String {
        let traffic = member.traffic(catalog);
        let text = wire::write(&FromHub::Traffic(traffic.clone()));
        self.traffic = Some((traffic, Instant::now()));
        text
    }

    /// Something happened to this node: that the Hub drains it goes before what follows from that.
    fn stirred(&mut self, member: &Member) -> Vec<String> {
        let mut said = Vec::new();
        let held = member.held();
        if let Some(why) = held.filter(|_| held != self.held) {
            tracing::info!(?why, "the node is asked to finish");
            said.push(wire::write(&FromHub::Drain(Drain { reason: why.words().to_owned(), stay: true })));
        }
        self.held = held;
        said
    }

    /// Where the node stands, if that is news; what it never heard it has not asked for.
    fn news(&mut self, member: &Member, catalog: &crate::Catalog) -> Vec<String> {
        let Some((told, at)) = &self.traffic else { return Vec::new() };
        let is_news = is_news(told, &member.traffic(catalog), at.elapsed());
        if is_news { vec![self.traffic(member, catalog)] } else { Vec::new() }
    }
}

/// What is to be said to the node, in this order.
#[derive(Default)]
struct News {
    first: Vec<String>,
    /// Where it stands: at once, or when it is this account's turn.
    traffic: bool,
    last: Option<String>,
}

impl News {
    fn only(text: String) -> Self {
        Self { first: vec![text], ..Self::default() }
    }
}

/// What one control message calls for, or what is wrong with it and the code to close with.
fn heed(text: &str, member: &Member) -> Result<News, (u16, &'static str)> {
    match wire::read_from_agent(text) {
        Ok(Some(FromAgent::Advert(advert))) => {
            bound(&advert).map_err(|text| (close::POLICY, text))?;
            tracing::info!(
                seq = advert.seq,
                memory_mib = advert.memory_mib,
                models = advert.models.len(),
                engine_up = advert.engine_up,
                "the node advertised"
            );
            member.advertise(advert);
            Ok(News { traffic: true, ..News::default() })
        }
        Ok(Some(FromAgent::Draining(draining))) => {
            tracing::info!(in_flight = draining.in_flight, "the node drains");
            let last = Some(wire::write(&FromHub::Drained(member.drain())));
            Ok(News { traffic: true, last, ..News::default() })
        }
        Ok(Some(FromAgent::PongStats(stats))) => {
            tracing::debug!(rtt_ms = stats.rtt_ms, "round trip as the node measures it");
            Ok(News::default())
        }
        Ok(Some(FromAgent::Hello(_))) => Err((close::PROTOCOL, "a second hello")),
        Ok(None) => Ok(News::default()),
        Err(_) => Err((close::PROTOCOL, "a control message that does not read")),
    }
}

/// Whether an advert is one that the Hub takes.
fn bound(advert: &Advert) -> Result<(), &'static str> {
    if advert.models.len() + advert.cold.len() > MAX_ADVERT_MODELS {
        return Err("an advert of more than 256 models: advertise fewer");
    }
    let mut ids = advert.models.iter().map(|model| &model.id).chain(&advert.cold);
    if ids.any(|id| id.chars().count() > MAX_MODEL_ID) {
        return Err("an advert with a model id of more than 200 characters");
    }
    Ok(())
}

async fn say_goodbye(control: &Control, farewell: Farewell) {
    let (reason, code, text) = match farewell {
        Farewell::Restart { .. } => (GoodbyeReason::Restart, close::RESTART, "The Hub restarts."),
        Farewell::Revoked => (GoodbyeReason::Revoked, close::REVOKED, "This node was signed out of the Hub."),
        Farewell::Replaced => {
            (GoodbyeReason::Replaced, close::REPLACED, "The same node connected to the Hub from elsewhere.")
        }
        Farewell::Superseded => (GoodbyeReason::Replaced, close::REPLACED, "The same node signed in to the Hub anew."),
    };
    tracing::info!(?farewell, "the tunnel is closed");
    let within_s = if let Farewell::Restart { within_s } = farewell { within_s } else { 0 };
    let goodbye = Goodbye { within_s, ..Goodbye::new(reason, text) };
    send(&control.outgoing, Outgoing::Text(wire::write(&FromHub::Goodbye(goodbye)))).await;
    shut(control, code, text).await;
}

async fn shut(control: &Control, code: u16, reason: &'static str) {
    tracing::debug!(code, reason, "closing a tunnel");
    send(&control.outgoing, Outgoing::Close { code, reason: reason.to_owned() }).await;
}

async fn send(outgoing: &mpsc::Sender<Outgoing>, message: Outgoing) {
    // A node that takes nothing any more is dropped after the same time.
    let _ = outgoing.send_timeout(message, GOODBYE_PATIENCE).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_node_says_of_itself_is_short_and_plain() {
        let bearer = Bearer { grant: 1, account: 1, account_name: "dev".into(), node: "n".into() };
        let evil = "N\nFAKE ERROR the state file failed\u{1b}[31m";
        let hello = |name: &str, agent: String| {
            let hello = Hello { node: "n".into(), name: name.into(), agent, platform: evil.into() };
            greet(&wire::write(&FromAgent::Hello(hello)), &bearer)
        };
        let kept = hello(evil, "0.1.0".repeat(100)).unwrap();
        assert_eq!(kept.name, "N FAKE ERROR the state file failed-31m");
        assert_eq!(kept.platform, "N FAKE ERROR the state file failed[31m");
        assert_eq!(kept.agent.chars().count(), MAX_WORD);
        assert!(hello("x", "0".repeat(MAX_HELLO)).is_err());
    }
}
