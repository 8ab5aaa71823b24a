//! Both ends of a link in one process, and a peer made of raw frames.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use porten_core::secret::Secret;
use porten_core::wire::SUBPROTOCOL;
use porten_link::dial::{Connect, DialRequest, Transport, dial};
use porten_link::{Beat, Control, End, Io, Opened, accept, accept_key, http2, tune};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The answer, or a failed test where it hangs.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(answer) => answer,
            Err(_) => panic!("nothing happened within {PATIENCE:?} at {caller}"),
        }
    }
}

/// Two connected TCP sockets as both ends use them: without Nagle's algorithm.
pub(crate) async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    tune(&dialled).unwrap();
    tune(&accepted).unwrap();
    (dialled, accepted)
}

/// A connection that is there already, for `dial`.
pub(crate) fn ready_made(io: impl Io) -> Connect {
    let io = std::sync::Mutex::new(Some(Box::new(io) as Transport));
    Arc::new(move |_, _| {
        let io = io.lock().unwrap().take().unwrap();
        Box::pin(async move { Ok(io) })
    })
}

/// A TLS configuration that trusts nobody; `ws://` needs none.
pub(crate) fn no_tls() -> Arc<rustls::ClientConfig> {
    client_tls(rustls::RootCertStore::empty())
}

pub(crate) fn client_tls(roots: rustls::RootCertStore) -> Arc<rustls::ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

pub(crate) fn request(url: &str, connect: Connect) -> DialRequest {
    DialRequest { url: url.parse().unwrap(), token: Secret::new("swordfish".into()), tls: no_tls(), connect }
}

/// An HTTP head, byte by byte so that nothing after it is taken.
pub(crate) async fn read_head(io: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

/// What a Hub answers to an upgrade, with more header lines if given.
pub(crate) fn switching(head: &str, subprotocol: Option<&str>, more: &str) -> String {
    let proof = accept_key(header(head, "sec-websocket-key").unwrap().as_bytes());
    let subprotocol = subprotocol.map(|name| format!("sec-websocket-protocol: {name}\r\n")).unwrap_or_default();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {proof}\r\n{subprotocol}{more}\r\n"
    )
}

/// Lets the upgrade through; answers the request's head.
pub(crate) async fn upgrade(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> String {
    let head = read_head(io).await;
    io.write_all(switching(&head, Some(SUBPROTOCOL), "").as_bytes()).await.unwrap();
    io.flush().await.unwrap();
    head
}

/// The agent's end dialled over one half, the other half after the upgrade.
pub(crate) async fn dialled<S: Io>(near: impl Io, mut far: S) -> (Opened<Transport>, S) {
    let hub = async {
        upgrade(&mut far).await;
        far
    };
    let (agent, far) = soon(async { tokio::join!(dial(request("ws://127.0.0.1/", ready_made(near))), hub) }).await;
    (agent.unwrap(), far)
}

pub(crate) async fn opened_over<S: Io>(near: impl Io, far: S) -> (Opened<Transport>, Opened<S>) {
    let (agent, far) = dialled(near, far).await;
    (agent, accept(far).await)
}

/// Both ends over TCP.
pub(crate) async fn opened() -> (Opened<Transport>, Opened<TcpStream>) {
    let (near, far) = tcp().await;
    opened_over(near, far).await
}

/// Both ends over a pipe that holds so many bytes each way.
pub(crate) async fn opened_in_memory(bytes: usize) -> (Opened<Transport>, Opened<DuplexStream>) {
    let (near, far) = duplex(bytes);
    opened_over(near, far).await
}

/// One end with HTTP/2 on it, driven by a task of its own.
pub(crate) struct Ends {
    pub(crate) requests: SendRequest<Bytes>,
    pub(crate) hub: Control,
    pub(crate) hub_task: JoinHandle<Result<(), h2::Error>>,
    pub(crate) agent: Control,
    pub(crate) agent_task: JoinHandle<Result<(), h2::Error>>,
}

/// Goes over to HTTP/2 on both ends; each request is answered by `answer` in a task of its own.
pub(crate) async fn linked<A: Io, H: Io, F>(
    (agent, hub): (Opened<A>, Opened<H>),
    beat: Beat,
    answer: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Send + 'static,
) -> Ends
where
    F: Future<Output = ()> + Send + 'static,
{
    let (agent_bytes, agent) = agent.into_link(beat);
    let (hub_bytes, hub) = hub.into_link(beat);
    let agent_task = tokio::spawn(async move {
        let mut connection = http2::serve(agent_bytes).await?;
        while let Some(accepted) = connection.accept().await {
            let (request, response) = accepted?;
            tokio::spawn(answer(request, response));
        }
        Ok(())
    });
    let (requests, connection) = soon(http2::call(hub_bytes)).await.unwrap();
    let hub_task = tokio::spawn(connection);
    Ends { requests, hub, hub_task, agent, agent_task }
}

pub(crate) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://node{path}")).body(()).unwrap()
}

/// Sends a request without a body and waits for the answer's head.
pub(crate) async fn ask(requests: &SendRequest<Bytes>, path: &str) -> Result<Response<RecvStream>, h2::Error> {
    let mut requests = requests.clone().ready().await?;
    let (response, _) = requests.send_request(post(path), true)?;
    response.await
}

/// The whole body and its trailers.
pub(crate) async fn read(mut body: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut whole = Vec::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        let _ = body.flow_control().release_capacity(chunk.len());
        whole.extend_from_slice(&chunk);
    }
    Ok((whole, body.trailers().await?))
}

/// Sends one chunk as the relay does: only into the peer's window. `false` if the stream was reset.
pub(crate) async fn send_chunk(body: &mut h2::SendStream<Bytes>, chunk: &Bytes) -> bool {
    let mut sent = 0;
    while sent < chunk.len() {
        body.reserve_capacity(chunk.len() - sent);
        if body.capacity() == 0 {
            match std::future::poll_fn(|cx| body.poll_capacity(cx)).await {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return false,
            }
        }
        let part = body.capacity().min(chunk.len() - sent);
        if body.send_data(chunk.slice(sent..sent + part), false).is_err() {
            return false;
        }
        sent += part;
    }
    true
}

/// How a link ended.
pub(crate) async fn end_of(control: &mut watch::Receiver<Option<End>>) -> End {
    let end = soon(control.wait_for(Option::is_some)).await.unwrap();
    end.clone().unwrap()
}

/// The first byte of a frame: final, and what it carries.
pub(crate) mod head {
    pub(crate) const FIN: u8 = 0x80;
    pub(crate) const TEXT: u8 = 0x1;
    pub(crate) const BINARY: u8 = 0x2;
    pub(crate) const CLOSE: u8 = 0x8;
    pub(crate) const PING: u8 = 0x9;
    pub(crate) const PONG: u8 = 0xA;
}

/// A frame as octets, masked (with zeros, which change nothing) as an agent must or bare as a Hub must.
pub(crate) fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut octets = frame_head(first, masked, payload.len() as u64);
    octets.extend_from_slice(payload);
    octets
}

pub(crate) fn frame_head(first: u8, masked: bool, length: u64) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut octets = vec![first];
    match length {
        0..126 => octets.push(mask | length as u8),
        126..65536 => {
            octets.push(mask | 126);
            octets.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            octets.push(mask | 127);
            octets.extend_from_slice(&length.to_be_bytes());
        }
    }
    if masked {
        octets.extend_from_slice(&[0; 4]);
    }
    octets
}

/// One frame: its first byte and its payload, unmasked. `None` where the stream ends.
pub(crate) async fn read_frame(io: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let first = io.read_u8().await.ok()?;
    let second = io.read_u8().await.ok()?;
    let length = match second & 0x7F {
        126 => u64::from(io.read_u16().await.ok()?),
        127 => io.read_u64().await.ok()?,
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        io.read_exact(&mut mask).await.ok()?;
    }
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    io.read_exact(&mut payload).await.ok()?;
    for (at, octet) in payload.iter_mut().enumerate() {
        *octet ^= mask[at % 4];
    }
    Some((first, payload))
}

/// Code and reason of the close frame to come; everything before it is skipped.
pub(crate) async fn read_close(io: &mut (impl AsyncRead + Unpin)) -> Option<(u16, String)> {
    loop {
        let (first, payload) = soon(read_frame(io)).await?;
        if first & 0xF == head::CLOSE && payload.len() >= 2 {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            return Some((code, String::from_utf8(payload[2..].to_vec()).unwrap()));
        }
    }
}
