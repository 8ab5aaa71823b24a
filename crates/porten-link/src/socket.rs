//! What a link asks of the TCP socket under it, and how the agent gets one.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How long an address has for itself before the next one is tried beside it (RFC 8305 recommends 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// So many of a name's addresses are tried.
const MAX_ADDRESSES: usize = 16;

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

/// Connects to the first of a host's addresses that answers (RFC 8305). They are tried one beside the other, the two
/// families in turn: where IPv6 is announced but leads nowhere, the system itself would wait for more than a minute.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let addresses = match host {
        // Both loopbacks (RFC 6761), whatever the system's list of names has: some know it in one family only.
        "localhost" => [IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)]
            .map(|ip| SocketAddr::new(ip, port))
            .to_vec(),
        _ => in_turn(tokio::net::lookup_host((host, port)).await?),
    };
    let socket = race(addresses, TcpStream::connect).await?;
    tune(&socket)?;
    Ok(socket)
}

/// Why there is no connection, in plain words.
pub(crate) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing is listening there".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "no route to it".to_owned(),
        _ => error.to_string(),
    }
}

/// The first addresses, the families alternating from that of the first, each in the resolver's order.
fn in_turn(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let addresses: Vec<_> = addresses.collect();
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut ones, mut others) =
        addresses.into_iter().partition::<VecDeque<_>, _>(|address| address.is_ipv6() == first_is_v6);
    let mut turns = Vec::new();
    while turns.len() < MAX_ADDRESSES && (!ones.is_empty() || !others.is_empty()) {
        turns.extend(ones.pop_front());
        turns.extend(others.pop_front());
    }
    turns.truncate(MAX_ADDRESSES);
    turns
}

async fn race<T, F>(addresses: Vec<SocketAddr>, connect: impl Fn(SocketAddr) -> F) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut left = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    loop {
        let next = left.next();
        let more = next.is_some();
        attempts.extend(next.map(&connect));
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
        let raced = race(addresses, TcpStream::connect);
        let socket = tokio::time::timeout(Duration::from_secs(5), raced).await.unwrap().unwrap();
        assert_eq!(socket.peer_addr().unwrap(), good.local_addr().unwrap());
    }

    #[tokio::test]
    async fn an_address_that_refuses_hands_over_at_once_and_the_last_refusal_is_told() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = race(vec![gone, good.local_addr().unwrap()], TcpStream::connect).await.unwrap();
        assert_eq!(socket.peer_addr().unwrap(), good.local_addr().unwrap());
        let refused = race(vec![gone, gone], TcpStream::connect).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(race(Vec::new(), TcpStream::connect).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_families_take_turns_and_a_name_with_a_thousand_addresses_is_cut() {
        let resolved = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "1.1.1.1:1", "2.2.2.2:1"];
        let turns = ["[2001:db8::1]:1", "1.1.1.1:1", "[2001:db8::2]:1", "2.2.2.2:1", "[2001:db8::3]:1"];
        assert_eq!(in_turn(addresses(&resolved).into_iter()), addresses(&turns));
        let one_family = ["3.3.3.3:1", "1.1.1.1:1"];
        assert_eq!(in_turn(addresses(&one_family).into_iter()), addresses(&one_family));
        assert_eq!(in_turn(std::iter::repeat_n(addresses(&["1.1.1.1:1"])[0], 1000)).len(), MAX_ADDRESSES);
    }

    /// Fault F12: where IPv6 is announced and leads nowhere, all its addresses together cost 250 ms.
    #[tokio::test(start_paused = true)]
    async fn a_black_hole_of_one_family_costs_a_quarter_of_a_second() {
        let resolved = addresses(&["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1", "1.1.1.1:1"]);
        let begun = tokio::time::Instant::now();
        let answered = race(in_turn(resolved.into_iter()), |address| async move {
            if address.is_ipv6() { std::future::pending().await } else { Ok(address) }
        });
        assert_eq!(answered.await.unwrap(), addresses(&["1.1.1.1:1"])[0]);
        assert!(begun.elapsed() <= Duration::from_millis(300), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn a_socket_that_was_connected_sends_small_writes_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = connect("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
        assert!(socket.nodelay().unwrap());
    }
}
