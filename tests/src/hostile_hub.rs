//! A Hub whose sign-in page is an attacker's: it tries to get out of the window, and tells what came of each try.

use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::engine::request;

/// It runs until it is dropped.
#[derive(Debug)]
pub struct HostileHub {
    port: u16,
    told: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl HostileHub {
    /// Serves this script on its sign-in page. There, `tell(text)` tells the test, and `elsewhere` is another origin.
    ///
    /// # Panics
    /// No port is free.
    pub async fn start(script: &str) -> Self {
        Self::answering(script, "authorization_pending").await
    }

    /// The same, with this error for whoever asks for tokens.
    ///
    /// # Panics
    /// No port is free.
    pub async fn answering(script: &str, error: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let told = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(page(script, port));
        let heard = Arc::clone(&told);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, port, error, Arc::clone(&script), Arc::clone(&heard)));
            }
        });
        Self { port, told, task }
    }

    /// For agents.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Its sign-in page.
    #[must_use]
    pub fn page(&self) -> String {
        format!("http://127.0.0.1:{}/device?user_code=BCDF-GHJK", self.port)
    }

    /// What the page told, in order.
    ///
    /// # Panics
    /// The list broke.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        self.told.lock().expect("the list").clone()
    }
}

impl Drop for HostileHub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn page(script: &str, port: u16) -> String {
    format!(
        "<!doctype html><title>Sign in</title><p>Sign in here</p><script>\n\
         const elsewhere = 'http://localhost:{port}/elsewhere';\n\
         const tell = (text) => fetch('/told', {{ method: 'POST', body: text }});\n\
         const rest = (ms) => new Promise((done) => setTimeout(done, ms));\n\
         (async () => {{ {script} }})();\n</script>"
    )
}

async fn answer(mut stream: TcpStream, port: u16, error: &str, page: Arc<String>, told: Arc<Mutex<Vec<String>>>) {
    let Ok(Some(asked)) = request::read(&mut stream, &mut Vec::new()).await else { return };
    let path = asked.target.split('?').next().unwrap_or_default();
    let base = format!("http://127.0.0.1:{port}");
    let (status, kind, body) = match path {
        "/.well-known/oauth-authorization-server" => (
            200,
            "application/json",
            format!(
                r#"{{"issuer":"{base}","device_authorization_endpoint":"{base}/code","token_endpoint":"{base}/token","revocation_endpoint":"{base}/revoke","grant_types_supported":["urn:ietf:params:oauth:grant-type:device_code"],"porten_protocols":["porten.v1"]}}"#
            ),
        ),
        "/code" => (
            200,
            "application/json",
            format!(
                r#"{{"device_code":"d","user_code":"BCDF-GHJK","verification_uri":"{base}/device","verification_uri_complete":"{base}/device?user_code=BCDF-GHJK","expires_in":600,"interval":1}}"#
            ),
        ),
        "/token" => (400, "application/json", format!(r#"{{"error":"{error}"}}"#)),
        "/device" => (200, "text/html", (*page).clone()),
        "/told" => {
            told.lock().expect("the list").push(String::from_utf8_lossy(&asked.body).into_owned());
            (200, "text/plain", String::new())
        }
        // Another origin of this server, or a file to download: neither must ever be asked for.
        other => {
            told.lock().expect("the list").push(format!("asked for {other}"));
            (200, "application/octet-stream", "x".to_owned())
        }
    };
    let answer = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever went away misses nothing.
    let _ = stream.write_all(answer.as_bytes()).await;
}
