//! Serves one connection of the fake engine, request after request, until it is to end or the client is gone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::answer::{self, Generation};
use super::manner::{Cut, Dialect, ErrorShape, Framing, List, Manner, Reply, content};
use super::request::{self, Seen};
use super::{Counted, Shared, lock};

const JSON: &str = "application/json";

/// What happens to the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Keep,
    Close,
    /// Its linger is zero: closed without a word more, it is reset.
    Reset,
}

struct Connection {
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    /// What came after the request being answered.
    buffer: Vec<u8>,
}

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _open = Counted::new(&shared.counts.connections, None);
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let (read, write) = stream.into_split();
    let mut connection = Connection { read, write, buffer: Vec::new() };
    while let Ok(Some(seen)) = request::read(&mut connection.read, &mut connection.buffer).await {
        lock(&shared.seen).push(seen.clone());
        let manner = lock(&shared.manner).clone();
        tokio::time::sleep(manner.sluggish).await;
        match connection.answer(&seen, &manner, &shared).await {
            Ok(After::Keep) => {}
            Ok(After::Close) | Err(_) => return,
            // Dropping this half would say goodbye first.
            Ok(After::Reset) => return connection.write.forget(),
        }
    }
}

impl Connection {
    async fn answer(&mut self, seen: &Seen, manner: &Manner, shared: &Shared) -> io::Result<After> {
        match (seen.method.as_str(), seen.target.as_str()) {
            ("GET", "/v1/models") => match &manner.list {
                List::Good => self.whole(manner, 200, JSON, &answer::list(manner)).await,
                List::Empty => self.whole(manner, 200, JSON, "").await,
                List::Body(body) => self.whole(manner, 200, JSON, body).await,
                List::Silent => self.silence().await,
            },
            ("GET", "/node_id") if manner.dialect == Dialect::Exo => {
                self.whole(manner, 200, JSON, "\"b9b3b561da1234a7b6d1d437329d0771\"").await
            }
            ("GET", "/health") => self.whole(manner, 200, JSON, r#"{"status": "ok"}"#).await,
            ("POST", "/v1/chat/completions" | "/v1/completions") => self.complete(seen, manner, shared).await,
            _ => self.error(manner, ErrorShape::MlxNotFound).await,
        }
    }

    async fn complete(&mut self, seen: &Seen, manner: &Manner, shared: &Shared) -> io::Result<After> {
        match &manner.reply {
            Reply::Error(shape) => return self.error(manner, *shape).await,
            Reply::Empty => return self.whole(manner, 200, JSON, "").await,
            Reply::Redirect(to) => {
                let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
                self.write.write_all(head.as_bytes()).await?;
                return Ok(After::Keep);
            }
            Reply::Generate | Reply::ErrorEvent(_) => {}
        }
        let generation = Generation::plan(seen, manner);
        let is_served = manner.models.contains(&generation.model);
        match manner.dialect {
            Dialect::Mlx if !is_served => return self.error(manner, ErrorShape::MlxUnknownModel).await,
            Dialect::Exo if !is_served => return self.error(manner, ErrorShape::ExoNoInstance).await,
            // llama-server answers with what it has, whatever it was asked for.
            Dialect::Mlx | Dialect::Exo | Dialect::Llama => {}
        }
        let counts = &shared.counts;
        let running = Counted::new(&counts.generating, Some(&counts.most_generating));
        let ended = self.generate(&generation, manner, shared).await;
        drop(running);
        // Whatever stops a generation before its end, the cause is that nobody listens any more.
        let count = if ended.is_ok() { &counts.completed } else { &counts.cancelled };
        count.fetch_add(1, Ordering::SeqCst);
        ended
    }

    async fn generate(&mut self, generation: &Generation, manner: &Manner, shared: &Shared) -> io::Result<After> {
        self.pause(manner.before_head).await?;
        if !generation.is_stream {
            return self.generate_document(generation, manner, shared).await;
        }
        self.send(head(manner.framing, 200, "text/event-stream", None).as_bytes()).await?;
        for _ in 0..manner.comments {
            self.part(manner, generation.comment()).await?;
        }
        self.pause(manner.prefill).await?;
        if let Some(opening) = generation.opening() {
            self.part(manner, &opening).await?;
        }
        let mut index = 0;
        while generation.chunks.is_none_or(|chunks| index < chunks) {
            match (&manner.cut, &manner.reply) {
                (Some((after, cut)), _) if *after == index => return self.cut(*cut, manner).await,
                (None, Reply::ErrorEvent(after)) if *after == index => {
                    self.part(manner, generation.error_event()).await?;
                    return self.end(manner).await;
                }
                _ => {}
            }
            self.pause(manner.delay).await?;
            self.part(manner, &generation.chunk(&content(index, &manner.chunk_size), index)).await?;
            shared.counts.chunks.fetch_add(1, Ordering::SeqCst);
            index += 1;
        }
        self.part(manner, &generation.closing()).await?;
        self.end(manner).await
    }

    async fn generate_document(
        &mut self,
        generation: &Generation,
        manner: &Manner,
        shared: &Shared,
    ) -> io::Result<After> {
        self.pause(manner.prefill).await?;
        let Some(chunks) = generation.chunks else { return self.silence().await };
        for _ in 0..chunks {
            self.pause(manner.delay).await?;
            shared.counts.chunks.fetch_add(1, Ordering::SeqCst);
        }
        self.whole(manner, 200, JSON, &generation.document(&manner.text(chunks))).await
    }

    async fn cut(&mut self, cut: Cut, manner: &Manner) -> io::Result<After> {
        match cut {
            Cut::Clean => return self.end(manner).await,
            Cut::Torn => {
                let torn = "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"del";
                let frame = format!("{:x}\r\n{torn}", torn.len() + 40);
                let bytes = if manner.framing == Framing::Chunked { frame.as_str() } else { torn };
                self.send(bytes.as_bytes()).await?;
            }
            Cut::Reset => {
                self.write.as_ref().set_zero_linger()?;
                return Ok(After::Reset);
            }
        }
        Ok(After::Close)
    }

    async fn error(&mut self, manner: &Manner, shape: ErrorShape) -> io::Result<After> {
        let (status, content_type, body) = shape.parts();
        self.whole(manner, status, content_type, body).await
    }

    /// An answer in one piece.
    async fn whole(&mut self, manner: &Manner, status: u16, content_type: &str, body: &str) -> io::Result<After> {
        let length = (manner.framing == Framing::Chunked).then_some(body.len());
        self.send((head(manner.framing, status, content_type, length) + body).as_bytes()).await?;
        self.after(manner).await
    }

    /// A piece of a stream.
    async fn part(&mut self, manner: &Manner, text: &str) -> io::Result<()> {
        match manner.framing {
            Framing::Closing => self.send(text.as_bytes()).await,
            Framing::Chunked => self.send(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).await,
        }
    }

    /// The end of a stream on the wire.
    async fn end(&mut self, manner: &Manner) -> io::Result<After> {
        if manner.framing == Framing::Chunked {
            self.send(b"0\r\n\r\n").await?;
        }
        self.after(manner).await
    }

    async fn after(&mut self, manner: &Manner) -> io::Result<After> {
        if manner.framing == Framing::Chunked {
            return Ok(After::Keep);
        }
        self.write.shutdown().await?;
        Ok(After::Close)
    }

    /// Writes, unless the client leaves meanwhile.
    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        tokio::select! {
            written = self.write.write_all(bytes) => written,
            error = gone(&mut self.read, &mut self.buffer) => Err(error),
        }
    }

    /// Waits, unless the client leaves meanwhile.
    async fn pause(&mut self, wait: Duration) -> io::Result<()> {
        if wait.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => Ok(()),
            error = gone(&mut self.read, &mut self.buffer) => Err(error),
        }
    }

    /// Says nothing until the client leaves.
    async fn silence(&mut self) -> io::Result<After> {
        Err(gone(&mut self.read, &mut self.buffer).await)
    }
}

/// Returns when the client has closed its side, or the connection is broken.
async fn gone(read: &mut OwnedReadHalf, buffer: &mut Vec<u8>) -> io::Error {
    loop {
        match read.read_buf(buffer).await {
            Ok(0) => return io::ErrorKind::ConnectionAborted.into(),
            Ok(_) => {}
            Err(error) => return error,
        }
    }
}

fn head(framing: Framing, status: u16, content_type: &str, length: Option<usize>) -> String {
    let version = if framing == Framing::Closing { "1.0" } else { "1.1" };
    let body = match (framing, length) {
        (_, Some(length)) => format!("content-length: {length}\r\n"),
        (Framing::Chunked, None) => "transfer-encoding: chunked\r\n".to_owned(),
        (Framing::Closing, None) => String::new(),
    };
    // What an engine says about itself must not travel on.
    let own = "server: fake-engine/1\r\nset-cookie: engine=1\r\nx-engine: private\r\n";
    format!("HTTP/{version} {status} Status\r\ncontent-type: {content_type}\r\n{own}{body}\r\n")
}
