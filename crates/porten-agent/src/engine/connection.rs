//! One connection to the engine: a request out, its answer in, in the task that asks. `core::http1` reads what comes.

use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use porten_core::http1::{self, Body, Head, Unreadable};
use porten_link::dial::Transport;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio_util::io::poll_write_buf;

/// What is read from a socket at once, and the longest head of an answer (bytes). 520 answers that flood hold 4 MiB.
const READ: usize = 8 * 1024;

/// In how many pieces the rest of an answer may come after its last event: an engine that goes on talking is cut off.
const ENDINGS: u8 = 2;

/// What went wrong on a connection.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It ended, or the system says why it cannot go on.
    #[error("the connection broke")]
    Io(#[from] io::Error),
    /// What came is no HTTP.
    #[error("the answer cannot be read")]
    Unreadable(#[from] Unreadable),
}

/// One connection.
pub(super) struct Connection {
    socket: Transport,
    /// Where bytes are read to; what has come and was not used stands in `from..to`.
    bytes: Box<[u8]>,
    from: usize,
    to: usize,
    /// The answer that is being read.
    body: Body,
    /// Another request may follow once that is over.
    keeps: bool,
}

impl Connection {
    pub(super) fn new(socket: Transport) -> Self {
        // No answer is being read, and no request was sent.
        let (body, keeps) = (Body::Sized(0), true);
        Self { socket, bytes: vec![0; READ].into(), from: 0, to: 0, body, keeps }
    }

    /// Sends a request and reads the head of its answer.
    ///
    /// # Errors
    /// The connection ended before that, or what came is no HTTP.
    pub(super) async fn ask(&mut self, head: Vec<u8>, body: Bytes) -> Result<Head, Broken> {
        self.keeps = false;
        let mut request = io::Cursor::new(head).chain(body);
        let mut answered = None;
        let head = poll_fn(|cx| self.poll_ask(cx, &mut request, &mut answered)).await?;
        (self.body, self.keeps) = (head.body, head.keeps && !request.has_remaining());
        Ok(head)
    }

    /// Writes what is left of the request, and meanwhile looks whether the engine answers already: one that refuses a long
    /// prompt may close without reading it.
    fn poll_ask(
        &mut self,
        cx: &mut Context<'_>,
        request: &mut impl Buf,
        answered: &mut Option<Head>,
    ) -> Poll<Result<Head, Broken>> {
        let mut unsent = None;
        while request.has_remaining() && unsent.is_none() {
            match poll_write_buf(Pin::new(&mut self.socket), cx, request) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => unsent = Some(error),
                Poll::Pending => break,
            }
        }
        // TLS holds back what is not flushed; a socket has nothing to flush. An error shows when the answer is read.
        let _ = Pin::new(&mut self.socket).poll_flush(cx);
        if answered.is_none()
            && let Poll::Ready(head) = self.poll_head(cx)
        {
            match (head, unsent.take()) {
                (Ok(head), None) => *answered = Some(head),
                // Nothing more can be sent, whatever it says.
                (Ok(head), Some(_)) => return Poll::Ready(Ok(head)),
                // Why it could not be sent says more than that nothing came.
                (Err(Broken::Io(_)), Some(error)) => return Poll::Ready(Err(error.into())),
                (Err(broken), _) => return Poll::Ready(Err(broken)),
            }
        }
        if let Some(error) = unsent {
            return Poll::Ready(Err(error.into()));
        }
        match answered.take_if(|head| !head.status.is_success() || !request.has_remaining()) {
            Some(head) => Poll::Ready(Ok(head)),
            None => Poll::Pending,
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        loop {
            if self.from < self.to
                && let Some(head) = http1::head(&self.bytes[self.from..self.to])?
            {
                self.from += head.used;
                return Poll::Ready(Ok(head));
            }
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Err(ended()));
            }
        }
    }

    /// Where the content stands that has come (see [`Self::content`]); nothing at the body's end.
    pub(super) fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Result<Range<usize>, Broken>> {
        loop {
            let found = self.body.unwrap(&mut self.bytes[self.from..self.to])?;
            let content = self.from..self.from + found.content;
            self.from += found.used;
            if !content.is_empty() || self.body.is_over() {
                return Poll::Ready(Ok(content));
            }
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(if self.body.may_end() { Ok(0..0) } else { Err(ended()) });
            }
        }
    }

    /// What stands there, until more is read.
    pub(super) fn content(&self, at: Range<usize>) -> &[u8] {
        self.bytes.get(at).unwrap_or_default()
    }

    /// Reads more, behind what was not used; 0 at the connection's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Broken>> {
        self.bytes.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        if self.to == self.bytes.len() {
            // Only a head, or a line between chunks, can be as long as that.
            return Poll::Ready(Err(Unreadable::Head.into()));
        }
        let mut room = ReadBuf::new(&mut self.bytes[self.to..]);
        ready!(Pin::new(&mut self.socket).poll_read(cx, &mut room))?;
        let read = room.filled().len();
        self.to += read;
        Poll::Ready(Ok(read))
    }

    /// Lets go of the rest of the answer; whether all of it has come already, so that another request may follow: most often
    /// an answer is over for us with its last event, and the engine's own end stands right behind it.
    pub(super) fn lets_go(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..ENDINGS {
            if !self.keeps || self.body.is_over() {
                break;
            }
            let Poll::Ready(Ok(_)) = self.poll_content(&mut cx) else { return false };
        }
        self.keeps && self.body.is_over() && self.from == self.to
    }

    /// Whether the engine has neither closed it nor said anything that was not asked for.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.poll_read(&mut Context::from_waker(Waker::noop())).is_pending()
    }
}

fn ended() -> Broken {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    /// A connection, and the engine's end of it.
    fn connection() -> (Connection, DuplexStream) {
        let (ours, theirs) = duplex(64);
        (Connection::new(Box::new(ours)), theirs)
    }

    async fn content(connection: &mut Connection) -> Result<Vec<u8>, Broken> {
        let mut all = Vec::new();
        loop {
            let at = poll_fn(|cx| connection.poll_content(cx)).await?;
            let piece = connection.content(at);
            if piece.is_empty() {
                return Ok(all);
            }
            all.extend_from_slice(piece);
        }
    }

    #[tokio::test]
    async fn two_questions_follow_each_other_on_one_connection() {
        let (mut connection, mut engine) = connection();
        tokio::spawn(async move {
            for _ in 0..2 {
                engine.read_exact(&mut [0; 8]).await.unwrap();
                for piece in
                    ["HTTP/1.1 200 OK\r\ntransfer-enc", "oding: chunked\r\n\r\n5\r\nhel", "lo\r\n", "0\r\n\r\n"]
                {
                    engine.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
            std::future::pending::<()>().await;
        });
        for _ in 0..2 {
            let head = connection.ask(b"head".to_vec(), Bytes::from_static(b"body")).await.unwrap();
            assert_eq!(head.status.as_u16(), 200);
            assert_eq!(content(&mut connection).await.unwrap(), b"hello");
            assert!(connection.lets_go() && connection.is_quiet());
        }
    }

    #[tokio::test]
    async fn an_engine_may_refuse_before_it_has_read_the_prompt() {
        let (mut connection, mut engine) = connection();
        tokio::spawn(async move {
            engine.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        });
        let head = connection.ask(Vec::new(), Bytes::from(vec![0; 1000])).await.unwrap();
        assert_eq!(head.status.as_u16(), 413);
        assert!(!connection.lets_go(), "what it was not sent would be read as the next request");
    }

    #[tokio::test]
    async fn an_end_in_the_middle_is_one() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\ncontent-l",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfour",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nfour\r\n",
        ] {
            let (mut connection, mut engine) = connection();
            tokio::spawn(async move {
                engine.write_all(answer.as_bytes()).await.unwrap();
            });
            let read = match connection.ask(Vec::new(), Bytes::new()).await {
                Ok(_) => content(&mut connection).await.map(|_| ()),
                Err(broken) => Err(broken),
            };
            assert!(matches!(read, Err(Broken::Io(_))), "{answer:?}: {read:?}");
            assert!(!connection.lets_go());
        }
        let (mut connection, mut engine) = connection();
        tokio::spawn(async move {
            engine.write_all(b"HTTP/1.0 200 OK\r\n\r\nall of it").await.unwrap();
        });
        connection.ask(Vec::new(), Bytes::new()).await.unwrap();
        assert_eq!(content(&mut connection).await.unwrap(), b"all of it");
        assert!(!connection.lets_go());
    }

    #[tokio::test]
    async fn what_is_no_http_or_never_ends_is_unreadable() {
        let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(READ));
        for answer in ["SSH-2.0-OpenSSH_9.2\r\n".to_owned(), endless] {
            let (mut connection, mut engine) = connection();
            tokio::spawn(async move { engine.write_all(answer.as_bytes()).await });
            let asked = connection.ask(Vec::new(), Bytes::new()).await;
            assert!(matches!(asked, Err(Broken::Unreadable(Unreadable::Head))), "{asked:?}");
        }
    }
}
