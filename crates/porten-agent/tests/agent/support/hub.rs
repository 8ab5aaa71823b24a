//! A Hub made of a raw socket: sign-in documents as scripted, and upgrades handed to the test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use porten_core::wire::{self, FromAgent, FromHub, Limits, Welcome};
use porten_link::Opened;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Seen, answer, read_request, soon, write};

/// What the Hub answers; the test may change it at any time.
#[derive(Default)]
pub(crate) struct Manner {
    /// Instead of an upgrade: status and further headers.
    pub(crate) refusal: Option<(u16, &'static str)>,
    /// The access token that is no longer good: 401.
    pub(crate) stale: Option<&'static str>,
    /// For the token endpoint, one after the other; 503 when there is none.
    pub(crate) tokens: VecDeque<(u16, String)>,
}

pub(crate) struct Hub {
    pub(crate) url: String,
    pub(crate) manner: Arc<Mutex<Manner>>,
    upgrades: mpsc::UnboundedReceiver<Opened<TcpStream>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    _serving: JoinSet<()>,
}

impl Hub {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (manner, seen) = (Arc::new(Mutex::new(Manner::default())), Arc::new(Mutex::new(Vec::new())));
        let (hand_over, upgrades) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        let (manner_of, seen_by) = (Arc::clone(&manner), Arc::clone(&seen));
        serving.spawn(async move {
            let mut running = JoinSet::new();
            loop {
                let Ok((socket, _)) = listener.accept().await else { return };
                let (manner, seen, hand_over) = (Arc::clone(&manner_of), Arc::clone(&seen_by), hand_over.clone());
                running.spawn(async move {
                    if let Some(opened) = serve(socket, &format!("http://{address}"), &manner, &seen).await {
                        let _ = hand_over.send(opened);
                    }
                });
            }
        });
        Self { url: format!("ws://{address}"), manner, upgrades, seen, _serving: serving }
    }

    pub(crate) fn manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().unwrap());
    }

    /// The requests for this line so far.
    pub(crate) fn seen(&self, line: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.is(line)).cloned().collect()
    }

    pub(crate) fn upgrades_seen(&self) -> usize {
        self.seen("GET /v1/node/tunnel").len()
    }

    /// The next tunnel, before its hello.
    pub(crate) async fn upgrade(&mut self) -> Opened<TcpStream> {
        soon("a tunnel", self.upgrades.recv()).await.unwrap()
    }

    /// The next tunnel, after hello and welcome.
    pub(crate) async fn welcome(&mut self) -> Opened<TcpStream> {
        let mut opened = self.upgrade().await;
        let hello = soon("a hello", opened.receive()).await.unwrap();
        assert!(matches!(wire::read_from_agent(&hello), Ok(Some(FromAgent::Hello(_)))), "{hello}");
        opened.send(welcome()).await.unwrap();
        opened
    }
}

pub(crate) fn welcome() -> String {
    let limits = Limits { max_streams: 512, max_body_bytes: 1 << 25 };
    wire::write(&FromHub::Welcome(Welcome { node: "n".into(), account: "jane".into(), limits, catalog: Vec::new() }))
}

/// Tokens as the token endpoint gives them.
pub(crate) fn pair(access: &str, refresh: &str) -> (u16, String) {
    let pair = serde_json::json!({ "access_token": access, "refresh_token": refresh, "token_type": "Bearer",
        "expires_in": 900, "account": "jane" });
    (200, pair.to_string())
}

async fn serve(
    mut socket: TcpStream,
    origin: &str,
    manner: &Mutex<Manner>,
    seen: &Mutex<Vec<Seen>>,
) -> Option<Opened<TcpStream>> {
    const JSON: &str = "content-type: application/json\r\n";
    let request = read_request(&mut socket).await?;
    seen.lock().unwrap().push(request.clone());
    if request.is("GET /v1/node/tunnel") {
        let refusal = {
            let manner = manner.lock().unwrap();
            let shown = request.header("authorization").unwrap_or_default();
            let stale = manner.stale.is_some_and(|stale| shown == format!("Bearer {stale}"));
            if stale { Some((401, "")) } else { manner.refusal }
        };
        let Some((status, headers)) = refusal else { return Some(upgrade(socket, &request).await) };
        write(&mut socket, &answer(status, headers, "{}")).await;
    } else if request.is("GET /.well-known/oauth-authorization-server") {
        let document = serde_json::json!({ "issuer": origin, "token_endpoint": format!("{origin}/oauth/token"),
            "device_authorization_endpoint": format!("{origin}/oauth/device"),
            "revocation_endpoint": format!("{origin}/oauth/revoke"), "porten_protocols": ["porten.v1"] });
        write(&mut socket, &answer(200, JSON, &document.to_string())).await;
    } else if request.is("POST /oauth/token") {
        let next = manner.lock().unwrap().tokens.pop_front();
        let (status, body) = next.unwrap_or((503, "{}".into()));
        write(&mut socket, &answer(status, JSON, &body)).await;
    } else {
        write(&mut socket, &answer(200, JSON, "{}")).await;
    }
    None
}

/// Answers an upgrade by hand.
pub(crate) async fn upgrade(mut socket: TcpStream, request: &Seen) -> Opened<TcpStream> {
    let key = request.header("sec-websocket-key").unwrap();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-protocol: \
         porten.v1\r\nsec-websocket-accept: {}\r\n\r\n",
        porten_link::accept_key(key.as_bytes())
    );
    write(&mut socket, &head).await;
    porten_link::accept(socket).await
}
