//! The load tool: carries out one order with a hyper client per stream and says what it found.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::answer::Answer;
use crate::clock;
use crate::order::{Found, Order, Work};
use crate::stats::percentile;

/// A request that takes longer has failed: the longest takes some seconds at 512 streams.
const PATIENCE: Duration = Duration::from_secs(60);
/// An order is a few lines (bytes).
const MAX_ORDER: u64 = 64 * 1024;

/// Why an order cannot be carried out at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// Standard input or output is broken.
    #[error("the load tool cannot talk to the runner")]
    Pipe(#[from] io::Error),
    /// What came is no order.
    #[error("the load tool takes an order as JSON on its standard input; `porten-bench` alone gives it one")]
    Order(#[source] serde_json::Error),
    /// The target's address.
    #[error("the target's address is not of the form http://HOST:PORT")]
    Target,
}

/// Why one request failed.
#[derive(Debug, thiserror::Error)]
enum RequestError {
    #[error("no connection ({0})")]
    Connect(#[from] io::Error),
    #[error("the connection broke ({0})")]
    Broken(#[from] hyper::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("{0}")]
    Answer(&'static str),
    #[error("no whole answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// The role: one order in, one line out.
pub(crate) async fn run() -> Result<(), LoadError> {
    let mut text = String::new();
    io::stdin().take(MAX_ORDER).read_to_string(&mut text)?;
    let order: Order = serde_json::from_str(&text).map_err(LoadError::Order)?;
    let found = carry_out(order).await?;
    let mut out = io::stdout();
    writeln!(out, "{}", serde_json::to_string(&found).map_err(io::Error::other)?)?;
    Ok(out.flush()?)
}

/// Carries out an order.
pub(crate) async fn carry_out(order: Order) -> Result<Found, LoadError> {
    let work = order.work;
    let asker = Arc::new(Asker::new(&order)?);
    // All connections stand before the first request is sent, so that their opening is no part of the rest.
    let start = Arc::new(Barrier::new(work.streams + 1));
    let mut streams = JoinSet::new();
    for number in 0..work.streams {
        streams.spawn(stream(Arc::clone(&asker), work, number, Arc::clone(&start)));
    }
    start.wait().await;
    let begun = Instant::now();
    let mut all = Tally::default();
    while let Some(tally) = streams.join_next().await {
        // A stream's task does not panic; if one did, its requests are missing and that is an error.
        let lost = |_| Tally { errors: work.requests as u64, ..Tally::default() };
        all.add(tally.unwrap_or_else(lost));
    }
    Ok(all.found(work.tokens, begun.elapsed()))
}

/// One stream: its requests, one after the other.
async fn stream(asker: Arc<Asker>, work: Work, number: usize, start: Arc<Barrier>) -> Tally {
    let mut tally = Tally::default();
    let mut connection = if work.newconn { None } else { connect(&asker.address).await.ok() };
    start.wait().await;
    // Spread over the time of one token, or of one request: streams that all begin at once would beat in step.
    let every = Duration::from_micros(work.every_us.into());
    let beat = every.max(Duration::from_micros(work.pace_us.into()));
    let offset = beat * u32::try_from(number).unwrap_or(u32::MAX) / u32::try_from(work.streams).unwrap_or(1).max(1);
    let mut due = tokio::time::Instant::now() + offset;
    for _ in 0..work.requests {
        if !beat.is_zero() {
            tokio::time::sleep_until(due).await;
        }
        due += every;
        let asked = tokio::time::timeout(PATIENCE, asker.ask(&mut connection, work.tokens));
        match asked.await.unwrap_or(Err(RequestError::Late)) {
            Ok(answered) => tally.count(answered),
            Err(error) => {
                connection = None;
                tally.fail(&error);
            }
        }
        if work.newconn {
            connection = None;
        }
    }
    tally
}

/// A connection's sending half; the other one is a task that ends with it.
async fn connect(address: &str) -> Result<SendRequest<Full<Bytes>>, RequestError> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    // How it ends, the request on it says.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

/// One whole answer (nanoseconds).
struct Answered {
    ttfb: u64,
    chunks: Vec<u64>,
}

/// The request that is sent again and again.
struct Asker {
    address: String,
    head: Request<()>,
    body: Bytes,
}

impl Asker {
    fn new(order: &Order) -> Result<Self, LoadError> {
        let Order { target, work } = order;
        let address = target.url.strip_prefix("http://").ok_or(LoadError::Target)?.trim_end_matches('/').to_owned();
        let head = Request::post("/v1/chat/completions").header(CONTENT_TYPE, "application/json");
        let mut head = head.header(HOST, &address).body(()).map_err(|_| LoadError::Target)?;
        if !target.key.is_empty() {
            let key = HeaderValue::try_from(format!("Bearer {}", target.key)).map_err(|_| LoadError::Target)?;
            head.headers_mut().insert(AUTHORIZATION, key);
        }
        let body = json!({"model": target.model, "stream": true, "max_tokens": work.tokens, "seed": work.pace_us,
            "messages": [{"role": "user", "content": "x".repeat(work.prompt)}]});
        Ok(Self { address, head, body: Bytes::from(body.to_string()) })
    }

    async fn ask(
        &self,
        connection: &mut Option<SendRequest<Full<Bytes>>>,
        tokens: u32,
    ) -> Result<Answered, RequestError> {
        let begun = clock::now();
        let sender = match connection {
            Some(sender) => sender,
            none => none.insert(connect(&self.address).await?),
        };
        sender.ready().await?;
        let (head, ()) = self.head.clone().into_parts();
        let response = sender.send_request(Request::from_parts(head, Full::new(self.body.clone()))).await?;
        if response.status() != StatusCode::OK {
            return Err(RequestError::Status(response.status()));
        }
        let mut answer = Answer::default();
        let mut chunks = Vec::with_capacity(tokens as usize);
        let mut first = None;
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            let now = clock::now();
            answer.take(&data, |made| {
                first.get_or_insert(now);
                chunks.push(now.saturating_sub(made));
            });
        }
        answer.judge(tokens).map_err(RequestError::Answer)?;
        Ok(Answered { ttfb: first.unwrap_or(begun).saturating_sub(begun), chunks })
    }
}

/// What streams have found until now.
#[derive(Default)]
struct Tally {
    ttfb: Vec<u64>,
    chunks: Vec<u64>,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    fn count(&mut self, answered: Answered) {
        self.ttfb.push(answered.ttfb);
        self.chunks.extend(answered.chunks);
    }

    fn fail(&mut self, error: &RequestError) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| error.to_string());
    }

    fn add(&mut self, other: Self) {
        self.ttfb.extend(other.ttfb);
        self.chunks.extend(other.chunks);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
    }

    fn found(mut self, tokens: u32, took: Duration) -> Found {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let (answers, seconds) = (self.ttfb.len() as f64, took.as_secs_f64());
        Found {
            ttfb_p50: percentile(&mut self.ttfb, 50),
            ttfb_p99: percentile(&mut self.ttfb, 99),
            chunk_p50: percentile(&mut self.chunks, 50),
            chunk_p99: percentile(&mut self.chunks, 99),
            req_per_s: answers / seconds,
            tok_per_s: answers * f64::from(tokens) / seconds,
            errors: self.errors,
            first_error: self.first_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine;
    use crate::order::Target;

    fn order(work: Work) -> (Order, tokio::task::JoinHandle<()>) {
        let listener = engine::bind().unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = Target { url, key: String::new(), model: engine::MODEL.into() };
        (Order { target, work }, tokio::spawn(engine::serve(listener)))
    }

    const WORK: Work = Work { streams: 4, requests: 3, tokens: 5, pace_us: 0, every_us: 0, prompt: 10, newconn: false };

    #[tokio::test]
    async fn every_token_of_the_engine_is_read_with_its_own_time() {
        for work in [WORK, Work { newconn: true, ..WORK }, Work { prompt: 5_000_000, streams: 1, ..WORK }] {
            let (order, engine) = order(work);
            let found = carry_out(order).await.unwrap();
            assert_eq!((found.errors, found.first_error), (0, None), "{work:?}");
            let (ttfb, chunk) = (found.ttfb_p50.unwrap(), found.chunk_p50.unwrap());
            assert!(chunk < ttfb, "a token is on its way for a part of the time to the first: {chunk} < {ttfb} ns");
            assert!((found.tok_per_s / found.req_per_s - 5.0).abs() < 1e-9);
            engine.abort();
        }
    }

    #[tokio::test]
    async fn a_paced_answer_takes_its_time() {
        let begun = Instant::now();
        let (order, _engine) = order(Work { pace_us: 20_000, requests: 1, ..WORK });
        assert_eq!(carry_out(order).await.unwrap().errors, 0);
        assert!(begun.elapsed() >= Duration::from_millis(4 * 20), "four gaps of 20 ms");
    }

    #[tokio::test]
    async fn questions_at_a_pace_are_asked_at_it() {
        let begun = Instant::now();
        let (order, _engine) = order(Work { every_us: 50_000, ..WORK });
        let found = carry_out(order).await.unwrap();
        assert_eq!(found.errors, 0);
        assert!(begun.elapsed() >= Duration::from_millis(2 * 50), "two gaps of 50 ms");
        assert!(found.req_per_s < 4.0 * 3.0 / 0.1, "twelve answers in a tenth of a second and more");
    }

    #[tokio::test]
    async fn an_engine_that_is_gone_is_an_error_of_every_request() {
        let (order, engine) = order(WORK);
        engine.abort();
        assert!(engine.await.is_err());
        let found = carry_out(order).await.unwrap();
        assert_eq!((found.errors, found.ttfb_p50, found.req_per_s), (12, None, 0.0));
        assert!(found.first_error.is_some_and(|error| error.starts_with("no connection")));
    }
}
