//! What a link asks of the TCP socket under it, and how the agent gets one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long an address has for itself before the next one is tried beside it (RFC 8305 recommends 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// Any byte stream a link can run over: a TCP socket, TLS on it, or an in-memory pipe in a test.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// How much may wait in the kernel behind what the peer can take (bytes). Linux would let it grow to 4 MiB a socket: a
/// pong would stand behind all of it on a slow line, and 512 clients that stopped reading would hold 2 GiB.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT: u32 = 128 * 1024;

/// Turns Nagle's algorithm off: without it each small token chunk waits up to 40 ms for the peer's delayed ACK. Where
/// the system allows it, bounds what is queued behind a slow peer; what is in flight is not bounded.
///
/// # Errors
/// The socket is already gone.
pub fn tune(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket2::SockRef::from(socket).set_tcp_notsent_lowat(MAX_UNSENT)?;
    Ok(())
}

/// Connects to the first of a host's addresses that answers. They are tried in the resolver's order, one beside the
/// other: where IPv6 is announced but leads nowhere, the system itself would wait for more than a minute.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await?.collect();
    let socket = race(addresses).await?;
    tune(&socket)?;
    Ok(socket)
}

async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut left = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    loop {
        let next = left.next();
        let more = next.is_some();
        attempts.extend(next.map(TcpStream::connect));
        let answer =
            if more { tokio::time::timeout(HEAD_START, attempts.next()).await } else { Ok(attempts.next().await) };
        match answer {
            Ok(Some(Ok(socket))) => return Ok(socket),
            Ok(Some(Err(error))) => last = error,
            Ok(None) => return Err(last),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// An address that takes no more connections and refuses none: its queue is full. The sockets keep it so.
    async fn mute() -> (SocketAddr, Vec<TcpStream>, TcpListener) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(socket) = tokio::time::timeout(Duration::from_millis(100), TcpStream::connect(address)).await {
            queued.push(socket.unwrap());
        }
        (address, queued, listener)
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_holds_up_the_next_only_briefly() {
        let (mute, _queued, _listener) = mute().await;
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = vec![mute, good.local_addr().unwrap()];
        let socket = tokio::time::timeout(Duration::from_secs(5), race(addresses)).await.unwrap().unwrap();
        assert_eq!(socket.peer_addr().unwrap(), good.local_addr().unwrap());
    }

    #[tokio::test]
    async fn an_address_that_refuses_hands_over_at_once_and_the_last_refusal_is_told() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = race(vec![gone, good.local_addr().unwrap()]).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), good.local_addr().unwrap());
        assert_eq!(race(vec![gone, gone]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(race(Vec::new()).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_socket_that_was_connected_sends_small_writes_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = connect("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
        assert!(socket.nodelay().unwrap());
    }
}
