//! An engine in memory that records what it is asked and how many answers run.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use porten_link::dial::{Connect, Transport};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split};
use tokio::task::{AbortHandle, JoinSet};

use super::{chunk, chunks};
use crate::engine::request;
use crate::luck::Luck;

/// The engine; clones are the same one.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    /// The requests whose answers run.
    generating: Mutex<BTreeSet<u64>>,
    most: AtomicUsize,
}

#[derive(Debug)]
struct State {
    luck: Luck,
    is_there: bool,
    running: Vec<AbortHandle>,
    tasks: JoinSet<()>,
    /// Method and target of each request.
    seen: Vec<(String, String)>,
}

impl Engine {
    /// An engine whose pauses come from this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            luck: Luck::new(seed),
            is_there: true,
            running: Vec::new(),
            tasks: JoinSet::new(),
            seen: Vec::new(),
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                generating: Mutex::default(),
                most: AtomicUsize::new(0),
            }),
        }
    }

    /// The way to it.
    #[must_use]
    pub fn connect(&self) -> Connect {
        let engine = self.clone();
        Arc::new(move |_, _| {
            let near = engine.accept();
            Box::pin(async move {
                near.map(|near| Box::new(near) as Transport).ok_or_else(|| std::io::ErrorKind::ConnectionRefused.into())
            })
        })
    }

    fn accept(&self) -> Option<DuplexStream> {
        let mut state = self.state();
        if !state.is_there {
            return None;
        }
        let (near, far) = duplex(64 * 1024);
        let luck = Luck::new(state.luck.draw());
        let task = state.tasks.spawn(serve(far, self.clone(), luck));
        state.running.push(task);
        Some(near)
    }

    /// It dies with all its connections.
    pub fn die(&self) {
        let mut state = self.state();
        state.is_there = false;
        state.tasks.abort_all();
        state.running.clear();
    }

    /// It is there again.
    pub fn rise(&self) {
        self.state().is_there = true;
    }

    /// Answers that run now.
    #[must_use]
    pub fn generating(&self) -> usize {
        self.running().len()
    }

    /// Whether the answer to this request runs now.
    #[must_use]
    pub fn is_generating(&self, number: u64) -> bool {
        self.running().contains(&number)
    }

    /// The most that ever ran at a time.
    #[must_use]
    pub fn most_generating(&self) -> usize {
        self.inner.most.load(Ordering::SeqCst)
    }

    /// Method and target of all that it was asked.
    #[must_use]
    pub fn seen(&self) -> Vec<(String, String)> {
        self.state().seen.clone()
    }

    fn running(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.inner.generating.lock().expect("no test panics while it holds this")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("no test panics while it holds this")
    }
}

/// One answer, while it runs.
struct Running(Engine, u64);

impl Running {
    fn of(engine: &Engine, number: u64) -> Self {
        let now = {
            let mut running = engine.running();
            running.insert(number);
            running.len()
        };
        engine.inner.most.fetch_max(now, Ordering::SeqCst);
        Self(engine.clone(), number)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running().remove(&self.1);
    }
}

async fn serve(io: DuplexStream, engine: Engine, mut luck: Luck) {
    let (mut read, mut write) = split(io);
    let mut buffer = Vec::new();
    while let Ok(Some(seen)) = request::read(&mut read, &mut buffer).await {
        let body = seen.json();
        let text = body["messages"][0]["content"].as_str().unwrap_or_default();
        let number = text.parse().unwrap_or_default();
        engine.state().seen.push((seen.method.clone(), seen.target.clone()));
        let running = Running::of(&engine, number);
        let answering = answer(&mut write, number, &mut luck);
        // Whoever leaves stops the generation, as a real engine's next write would.
        let mut byte = [0];
        let is_over = tokio::select! {
            done = answering => done.is_err(),
            _ = read.read(&mut byte) => true,
        };
        drop(running);
        if is_over {
            return;
        }
    }
}

async fn answer(write: &mut (impl tokio::io::AsyncWrite + Unpin), number: u64, luck: &mut Luck) -> std::io::Result<()> {
    let pause = |luck: &mut Luck, most: usize| Duration::from_millis(luck.below(most) as u64);
    let (first, each) = (pause(luck, 4000), pause(luck, 1500));
    tokio::time::sleep(first).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    write.write_all(head.as_bytes()).await?;
    let count = chunks(number);
    for index in 0..count {
        tokio::time::sleep(each).await;
        let finish = if index + 1 == count { json!("stop") } else { json!(null) };
        let choice = json!({"index": 0, "delta": {"content": chunk(number, index)}, "finish_reason": finish});
        let event = format!("data: {}\n\n", json!({"id": "c", "created": 1, "model": "m", "choices": [choice]}));
        write.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
    }
    let done = "data: [DONE]\n\n";
    write.write_all(format!("{:x}\r\n{done}\r\n0\r\n\r\n", done.len()).as_bytes()).await
}
