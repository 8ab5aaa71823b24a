//! Connections of a run: each from the loopback address of who it belongs to, so that limits by address can tell them apart.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{Request, request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

/// Whoever is not an attacker, and their node.
pub(crate) const OTHERS: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// A stranger with one address.
pub(crate) const STRANGER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);
/// Somebody honest elsewhere, beside an attack.
pub(crate) const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 33);
/// Whoever attacks with an account has so many addresses: what holds them back is not their address.
const ADDRESSES: u8 = 32;

/// A connection comes about in this time, or not at all.
const CONNECT: Duration = Duration::from_secs(10);
/// An answer to an attacker; longer is as good as none.
const ANSWER: Duration = Duration::from_secs(20);

/// The sending half of a connection.
pub(crate) type Sender = http1::SendRequest<Full<Bytes>>;

/// The next of an attacker's many addresses.
pub(crate) fn many() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    Ipv4Addr::new(127, 0, 1, 1 + NEXT.fetch_add(1, Ordering::Relaxed) % ADDRESSES)
}

/// The socket address of `http://IP:PORT`.
pub(crate) fn address(url: &str) -> Result<SocketAddr, String> {
    let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    address.parse().map_err(|_| format!("{url} is no address of this machine"))
}

/// A bare connection from this address.
pub(crate) async fn socket(to: SocketAddr, from: Ipv4Addr) -> Result<TcpStream, String> {
    socket_with(to, from, None).await
}

/// The same with a receive buffer of so many bytes, for clients that do not read.
pub(crate) async fn socket_with(to: SocketAddr, from: Ipv4Addr, buffer: Option<u32>) -> Result<TcpStream, String> {
    let opening = async {
        let socket = TcpSocket::new_v4()?;
        if let Some(buffer) = buffer {
            socket.set_recv_buffer_size(buffer)?;
        }
        socket.bind(SocketAddr::V4(SocketAddrV4::new(from, 0)))?;
        let socket = socket.connect(to).await?;
        socket.set_nodelay(true)?;
        Ok::<_, std::io::Error>(socket)
    };
    let opened = tokio::time::timeout(CONNECT, opening).await.map_err(|_| "no connection in time".to_owned())?;
    opened.map_err(|error| format!("no connection ({error})"))
}

/// A connection that speaks HTTP.
pub(crate) async fn connect(to: SocketAddr, from: Ipv4Addr) -> Result<Sender, String> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(socket(to, from).await?)).await.map_err(|error| error.to_string())?;
    // How it ends, the request on it says.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

/// The head of a request that carries something.
pub(crate) fn post(path: &str, kind: &str) -> request::Builder {
    Request::post(path).header("host", "hub").header(CONTENT_TYPE, kind)
}

/// A small chat.
pub(crate) fn chat(model: &str, stream: bool) -> String {
    serde_json::json!({"model": model, "stream": stream, "max_tokens": 2,
        "messages": [{"role": "user", "content": "Hi"}]})
    .to_string()
}

/// The head of a chat with a body of so many bytes, as it goes over a bare connection.
pub(crate) fn chat_head(key: &str, length: usize) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) text: String,
}

/// A client with a connection, which it opens anew when it has to, and a cookie.
pub(crate) struct Visitor {
    to: SocketAddr,
    from: Ipv4Addr,
    sender: Option<Sender>,
    cookie: String,
}

impl Visitor {
    pub(crate) const fn new(to: SocketAddr, from: Ipv4Addr) -> Self {
        Self { to, from, sender: None, cookie: String::new() }
    }

    pub(crate) async fn get(&mut self, path: &str, bearer: Option<&str>) -> Result<Reply, String> {
        let mut request = Request::get(path).header("host", "hub");
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        self.send(request, Bytes::new()).await
    }

    /// Posts a form.
    pub(crate) async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Reply, String> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        // The page's own origin, as a browser would send it.
        let request = post(path, "application/x-www-form-urlencoded").header("origin", format!("http://{}", self.to));
        self.send(request, Bytes::from(body)).await
    }

    /// Posts a chat.
    pub(crate) async fn chat(&mut self, key: &str, body: &str) -> Result<Reply, String> {
        let request = post("/v1/chat/completions", "application/json").header("authorization", format!("Bearer {key}"));
        self.send(request, Bytes::copy_from_slice(body.as_bytes())).await
    }

    /// Leaves the connection, whatever runs on it.
    pub(crate) fn leave(&mut self) {
        self.sender = None;
    }

    async fn send(&mut self, request: request::Builder, body: Bytes) -> Result<Reply, String> {
        // Put back only after a whole answer: one that was left half-way takes its connection with it.
        let kept = self.sender.take().filter(|sender| !sender.is_closed());
        let mut sender = match kept {
            Some(sender) => sender,
            None => connect(self.to, self.from).await?,
        };
        let request = if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) };
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let asking = async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            Ok::<_, hyper::Error>((head, body.collect().await?.to_bytes()))
        };
        let answered = tokio::time::timeout(ANSWER, asking).await.map_err(|_| "no answer in time".to_owned())?;
        let (head, body) = answered.map_err(|error| error.to_string())?;
        if let Some(cookie) = head.headers.get(SET_COOKIE).and_then(|cookie| cookie.to_str().ok()) {
            cookie.split(';').next().unwrap_or_default().clone_into(&mut self.cookie);
        }
        self.sender = Some(sender);
        Ok(Reply { status: head.status.as_u16(), text: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// The value of a form's hidden field; empty if there is none.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let begin = format!("name=\"{name}\" value=\"");
    let value = page.split_once(&begin).and_then(|(_, rest)| rest.split_once('"'));
    value.map(|(value, _)| value.to_owned()).unwrap_or_default()
}
