//! A Hub that does as the test says: it takes one agent's tunnel and may then break every rule.

use std::time::Duration;

use porten_core::wire::{self, FromHub, Limits, MAX_BODY, MAX_STREAMS, Offer, Welcome};
use porten_link::{Beat, Control, Opened, WsBytes, accept, accept_key};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::agent::Agent;

/// An agent knocks within this time.
const KNOCK: Duration = Duration::from_secs(30);

/// A listener that agents take for a Hub.
#[derive(Debug)]
pub struct ScriptedHub {
    listener: TcpListener,
}

impl ScriptedHub {
    /// Listens on a free port.
    ///
    /// # Panics
    /// There is none.
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a free port") }
    }

    /// `ws://127.0.0.1:PORT`
    ///
    /// # Panics
    /// The listener is gone.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.listener.local_addr().expect("a listener knows its address"))
    }

    /// Puts a credential of this Hub where the agent looks for it, as if a person had signed in.
    ///
    /// # Panics
    /// The home cannot be written to.
    pub fn sign_in(&self, agent: &Agent) {
        let address = self.listener.local_addr().expect("a listener knows its address");
        agent.store_credential(&format!("http://{address}"));
    }

    /// The next connection of an agent, with the head of its request.
    ///
    /// # Panics
    /// None comes in time.
    pub async fn knock(&self) -> (TcpStream, String) {
        let (mut socket, _) = tokio::time::timeout(KNOCK, self.listener.accept()).await.expect("a knock").expect("one");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.expect("a whole head"));
        }
        (socket, String::from_utf8_lossy(&head).into_owned())
    }

    /// Answers the next knock with the upgrade: a WebSocket whose frames are the test's.
    ///
    /// # Panics
    /// The agent does not knock, or not for a WebSocket.
    pub async fn upgraded(&self) -> TcpStream {
        let (mut socket, head) = self.knock().await;
        let header = |name: &str| {
            head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)))
        };
        let (_, key) = header("sec-websocket-key").expect("a WebSocket key");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-protocol: porten.v1\r\nsec-websocket-accept: {}\r\n\r\n",
            accept_key(key.as_bytes())
        );
        socket.write_all(answer.as_bytes()).await.expect("the agent takes the answer");
        socket
    }

    /// The same, and the agent's hello.
    ///
    /// # Panics
    /// The agent does not knock, or says no hello.
    pub async fn hello(&self) -> Opened<TcpStream> {
        let mut opened = accept(self.upgraded().await).await;
        let hello = opened.receive().await.expect("a hello");
        assert!(hello.contains(r#""type":"hello""#), "{hello}");
        opened
    }

    /// The same, and a welcome that offers `tiny`; then the agent serves HTTP/2 on what is returned.
    ///
    /// # Panics
    /// See [`Self::hello`].
    pub async fn welcome(&self) -> (WsBytes<TcpStream>, Control) {
        let mut opened = self.hello().await;
        opened.send(welcome()).await.expect("the agent takes a welcome");
        opened.into_link(Beat::default())
    }

    /// [`Self::welcome`] and the client side of HTTP/2, whose connection runs by itself.
    ///
    /// # Panics
    /// See [`Self::hello`].
    pub async fn requests(&self) -> (h2::client::SendRequest<bytes::Bytes>, Control) {
        let (bytes, control) = self.welcome().await;
        let (requests, connection) = porten_link::http2::call(bytes).await.expect("HTTP/2");
        tokio::spawn(connection);
        (requests, control)
    }
}

/// A welcome that offers `tiny`.
#[must_use]
pub fn welcome() -> String {
    wire::write(&FromHub::Welcome(Welcome {
        node: "n".into(),
        account: "scripted".into(),
        limits: Limits { max_streams: MAX_STREAMS, max_body_bytes: MAX_BODY as u64 },
        catalog: vec![Offer { id: "tiny".into(), memory_mib: 1, routes: porten_core::route::Route::ALL.to_vec() }],
    }))
}
