//! One bounded HTTP exchange with the Hub's sign-in, over the same way as the tunnel: the same proxy, the same judgement of
//! certificates, the same words when it fails. Redirects are not followed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use porten_core::reply::Reply;
use porten_core::signin::{self, Form};
use porten_core::tunnel::{Failure, Lost};
use porten_link::dial::{Connect, Transport, reach};
use url::{Position, Url};

/// For one exchange in all; under `signin::REQUEST_LIMIT`, after which the machines no longer wait for it.
const DEADLINE: Duration = Duration::from_secs(15);
/// The longest head of an answer (bytes).
const MAX_HEAD: usize = 32 * 1024;

/// The client for sign-in.
#[derive(Clone)]
pub struct HubHttp {
    tls: Arc<rustls::ClientConfig>,
    connect: Connect,
}

impl std::fmt::Debug for HubHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubHttp").finish_non_exhaustive()
    }
}

impl HubHttp {
    /// A client that goes the tunnel's way.
    #[must_use]
    pub const fn new(tls: Arc<rustls::ClientConfig>, connect: Connect) -> Self {
        Self { tls, connect }
    }

    /// `GET`.
    ///
    /// # Errors
    /// There is no way to the Hub. A connection that brought no whole answer is [`Reply::Lost`].
    pub async fn get(&self, url: &str) -> Result<Reply, Failure> {
        let Ok(url) = Url::parse(url) else { return Ok(Reply::Lost) };
        self.exchange(&url, Method::GET, Bytes::new()).await
    }

    /// `POST` of a form. Tokens travel in the body, never in the address.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post(&self, url: &Url, form: &Form) -> Result<Reply, Failure> {
        self.exchange(url, Method::POST, Bytes::from(form.body().to_owned())).await
    }

    async fn exchange(&self, url: &Url, method: Method, body: Bytes) -> Result<Reply, Failure> {
        let exchange = async {
            let way = reach(url, &self.tls, &self.connect).await?;
            Ok(ask(way, url, method, body).await.unwrap_or(Reply::Lost))
        };
        tokio::time::timeout(DEADLINE, exchange).await.unwrap_or(Err(Failure::Lost(Lost::TimedOut)))
    }
}

/// One request, one answer; nothing if it is not whole.
async fn ask(way: Transport, url: &Url, method: Method, body: Bytes) -> Option<Reply> {
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let mut request = Request::builder()
        .method(&method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .header(HOST, host)
        .header(USER_AGENT, concat!("porten/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close");
    if method == Method::POST {
        request = request.header(CONTENT_TYPE, signin::CONTENT_TYPE);
    }
    let request = request.body(Full::new(body)).ok()?;
    let (mut requests, connection) =
        http1::Builder::new().max_buf_size(MAX_HEAD).handshake(TokioIo::new(way)).await.ok()?;
    let exchange = async {
        let (head, body) = requests.send_request(request).await.ok()?.into_parts();
        let body = Limited::new(body, signin::MAX_ANSWER).collect().await.ok()?.to_bytes();
        let seconds = head.headers.get(RETRY_AFTER).map(HeaderValue::to_str).and_then(|value| value.ok()?.parse().ok());
        Some(Reply::Answer {
            status: head.status.as_u16(),
            body: body.to_vec(),
            retry_after: seconds.map(Duration::from_secs),
        })
    };
    // The connection ends with the exchange; how, is nobody's business then.
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}

#[cfg(test)]
mod tests {
    use porten_link::dial::tcp;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// What is asked of a server that answers so, and what came of it.
    async fn asked(answer: String) -> (String, Result<Reply, Failure>) {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/a/path?with=query", server.local_addr().unwrap());
        let serving = async {
            let (mut socket, _) = server.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(socket.read_u8().await.unwrap());
            }
            // Whoever read enough has left.
            let _ = socket.write_all(answer.as_bytes()).await;
            String::from_utf8(head).unwrap()
        };
        porten_link::tls::install();
        let http = HubHttp::new(porten_link::tls::client().unwrap(), tcp());
        let (head, reply) = tokio::join!(serving, http.get(&url));
        (head.replace(url.split('/').nth(2).unwrap(), "HUB"), reply)
    }

    #[tokio::test]
    async fn an_answer_is_read_with_its_status_and_what_it_asks_to_wait() {
        let whole = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}";
        let (head, reply) = asked(whole.to_owned()).await;
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            "GET /a/path?with=query HTTP/1.1\r\nhost: HUB\r\nuser-agent: porten/{version}\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(head, expected);
        let seven = Some(Duration::from_secs(7));
        assert_eq!(reply, Ok(Reply::Answer { status: 429, body: b"{}".to_vec(), retry_after: seven }));
    }

    /// Fault E1: a redirect at sign-in is an answer like any other and is not followed.
    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = elsewhere.local_addr().unwrap();
        let moved = format!("HTTP/1.1 307 Moved\r\nlocation: http://{to}/\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(asked(moved).await.1, Ok(Reply::answer(307, "")));
        assert!(tokio::time::timeout(Duration::from_millis(300), elsewhere.accept()).await.is_err());
    }

    #[tokio::test]
    async fn what_is_cut_too_long_or_no_http_is_lost() {
        let long = "x".repeat(signin::MAX_ANSWER + 1);
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{}".to_owned(),
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{long}", long.len()),
            format!("HTTP/1.1 200 OK\r\nx-filler: {}\r\n\r\n", "x".repeat(2 * MAX_HEAD)),
            "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
            String::new(),
        ] {
            assert_eq!(asked(answer.clone()).await.1, Ok(Reply::Lost), "{answer:.40}");
        }
    }

    #[tokio::test]
    async fn a_hub_that_is_not_there_is_told_in_the_tunnels_words() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let http = HubHttp::new(porten_link::tls::client().unwrap(), tcp());
        let lost = http.get(&format!("http://{gone}/")).await;
        assert_eq!(lost, Err(Failure::Lost(Lost::Unreachable("nothing is listening there".into()))));
    }
}
