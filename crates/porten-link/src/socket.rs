//! What both ends do to the TCP socket under a link.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Any byte stream a link can run over: a TCP socket, TLS on it, or an in-memory pipe in a test.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for T {}

/// Turns Nagle's algorithm off: without it each small token chunk waits up to 40 ms for the peer's delayed ACK.
///
/// # Errors
/// The socket is already gone.
pub fn tune(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)
}
