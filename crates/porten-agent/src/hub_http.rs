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
