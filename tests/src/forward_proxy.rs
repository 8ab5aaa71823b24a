//! An HTTP proxy that writes down what it is asked, and lets through, refuses or hangs as the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// How it behaves.
#[derive(Debug, Clone)]
pub enum Way {
    /// Every `CONNECT` ends at this address, whatever its name.
    To(SocketAddr),
    /// The same, for those who show these credentials (the header's value).
    ToFor(SocketAddr, String),
    /// This is all it says.
    Says(String),
    /// It takes connections and says nothing.
    Hangs,
}

/// It runs until it is dropped.
#[derive(Debug)]
pub struct ForwardProxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl ForwardProxy {
    /// A proxy on a free port.
    ///
    /// # Panics
    /// There is none.
    pub async fn start(way: Way) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut running = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                running.spawn(serve(near, way.clone(), Arc::clone(&heard)));
            }
        });
        Self { port, asked, task }
    }

    /// `127.0.0.1:PORT`
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The first lines of all requests so far.
    ///
    /// # Panics
    /// The list broke.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the list").clone()
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut near: TcpStream, way: Way, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = near.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    asked.lock().expect("the list").push(head.lines().next().unwrap_or_default().to_owned());
    let shows = |wanted: &str| head.lines().any(|line| line == format!("Proxy-Authorization: {wanted}"));
    let target = match &way {
        Way::To(target) => *target,
        Way::ToFor(target, wanted) if shows(wanted) => *target,
        Way::ToFor(..) => return say(&mut near, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await,
        Way::Says(words) => return say(&mut near, words).await,
        Way::Hangs => std::future::pending().await,
    };
    if !head.starts_with("CONNECT ") {
        return say(&mut near, "HTTP/1.1 405 Method Not Allowed\r\n\r\n").await;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    say(&mut near, "HTTP/1.1 200 Connection established\r\n\r\n").await;
    // How it ended is the two ends' matter.
    let _ = copy_bidirectional(&mut near, &mut far).await;
}

async fn say(near: &mut TcpStream, words: &str) {
    // Whoever went away misses nothing.
    let _ = near.write_all(words.as_bytes()).await;
}
