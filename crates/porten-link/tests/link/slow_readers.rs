//! Clients that stop reading harm nobody but themselves, whatever their number and the size of their chunks.
//!
//! Three things can go wrong here, and each was seen with other settings: the whole connection is ended over many small
//! unread frames, stalled answers use up the connection's window, and one reader's stall holds up the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use porten_core::wire::MAX_STREAMS;
use porten_link::http2::{ANSWER_WINDOW, CONNECTION_WINDOW, DATA_FRAME_BUDGET};
use porten_link::{Beat, WsBytes, http2};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use crate::support::{ask, opened, read, send_chunk, soon};

/// Latencies are measured: one crowd at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What a client does, in the request's path: `/stalled/SIZE`, `/healthy/0`, `/probe/0`.
fn wish(request: &Request<RecvStream>) -> (String, usize) {
    let mut parts = request.uri().path().trim_start_matches('/').split('/');
    (parts.next().unwrap().to_owned(), parts.next().unwrap().parse().unwrap())
}

/// An agent whose answers are chunks of the wished size, one DATA frame each, until the reader's window is full.
fn agent(
    bytes: WsBytes<porten_link::dial::Transport>,
    epoch: Instant,
    full: Arc<AtomicUsize>,
) -> tokio::task::JoinHandle<Result<(), h2::Error>> {
    tokio::spawn(async move {
        let mut connection = http2::serve(bytes).await?;
        while let Some(accepted) = connection.accept().await {
            let (request, mut respond) = accepted?;
            let full = Arc::clone(&full);
            tokio::spawn(async move {
                let mut body = respond.send_response(Response::new(()), false).unwrap();
                match wish(&request) {
                    (kind, size) if kind == "stalled" => {
                        let chunk = Bytes::from(vec![b'.'; size]);
                        for n in 0..ANSWER_WINDOW as usize / size {
                            if !send_chunk(&mut body, &chunk).await {
                                return;
                            }
                            if n % 32 == 31 {
                                tokio::task::yield_now().await;
                            }
                        }
                        full.fetch_add(1, Ordering::Relaxed);
                        let _ = std::future::poll_fn(|cx| body.poll_reset(cx)).await;
                    }
                    (kind, _) if kind == "healthy" => {
                        let mut tick = tokio::time::interval(Duration::from_millis(10));
                        loop {
                            tick.tick().await;
                            let stamp = epoch.elapsed().as_nanos() as u64;
                            if !send_chunk(&mut body, &Bytes::copy_from_slice(&stamp.to_be_bytes())).await {
                                return;
                            }
                        }
                    }
                    _ => body.send_trailers(HeaderMap::new()).unwrap(),
                }
            });
        }
        Ok(())
    })
}

/// The delays of the healthy stream's chunks, as they come in.
fn watch(mut body: RecvStream, epoch: Instant) -> tokio::sync::mpsc::UnboundedReceiver<Duration> {
    let (told, tell) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(chunk)) = body.data().await {
            body.flow_control().release_capacity(chunk.len()).unwrap();
            for stamp in chunk.chunks_exact(8) {
                let sent = Duration::from_nanos(u64::from_be_bytes(stamp.try_into().unwrap()));
                if told.send(epoch.elapsed().saturating_sub(sent)).is_err() {
                    return;
                }
            }
        }
    });
    tell
}

/// What the others noticed of the stalled ones.
#[derive(Debug)]
enum Seen {
    /// Median chunk delay of the healthy stream once all stand, its worst in all, and the slowest probe.
    Well { median: Duration, worst: Duration, probe: Duration },
    /// The connection ended.
    Dead(h2::Error),
    /// The healthy stream or a probe waited in vain.
    Starved,
}

const IN_VAIN: Duration = Duration::from_secs(3);

/// A healthy stream, then so many that are never read, with probes between and after them.
async fn crowd<F>(stalled: usize, size: usize, call: impl FnOnce(WsBytes<TcpStream>) -> F) -> Seen
where
    F: Future<Output = Result<(SendRequest<Bytes>, Connection<WsBytes<TcpStream>>), h2::Error>>,
{
    let _alone = ALONE.lock().await;
    let epoch = Instant::now();
    let full = Arc::new(AtomicUsize::new(0));
    let (node, hub) = opened().await;
    let (node_bytes, _node_control) = node.into_link(Beat::default());
    let (hub_bytes, _hub_control) = hub.into_link(Beat::default());
    let agent = agent(node_bytes, epoch, Arc::clone(&full));
    let (requests, connection) = soon(call(hub_bytes)).await.unwrap();
    let mut connection = tokio::spawn(connection);
    let watched = observe(&requests, stalled, size, epoch, &full);
    let seen = tokio::select! {
        seen = watched => seen,
        ended = &mut connection => Err(ended.unwrap().unwrap_err()),
    };
    connection.abort();
    agent.abort();
    seen.unwrap_or_else(Seen::Dead)
}

async fn observe(
    requests: &SendRequest<Bytes>,
    stalled: usize,
    size: usize,
    epoch: Instant,
    full: &AtomicUsize,
) -> Result<Seen, h2::Error> {
    let mut delays = watch(ask(requests, "/healthy/0").await?.into_body(), epoch);
    let mut unread = Vec::new();
    let mut slowest = Duration::ZERO;
    for n in 0..stalled {
        unread.push(ask(requests, &format!("/stalled/{size}")).await?.into_body());
        if n % 64 == 0 {
            match probe(requests).await? {
                Some(took) => slowest = slowest.max(took),
                None => return Ok(Seen::Starved),
            }
        }
    }
    let mut worst = Duration::ZERO;
    // They write until their windows are full; where the connection's window is full before, that never comes.
    while full.load(Ordering::Relaxed) < stalled {
        match tokio::time::timeout(IN_VAIN, delays.recv()).await {
            Ok(Some(delay)) => worst = worst.max(delay),
            Ok(None) => std::future::pending().await, // the connection has ended, and tells why
            Err(_) => return Ok(Seen::Starved),
        }
    }
    // Let what was under way arrive, then look at the quiet state with all of them stalled.
    let mut quiet = Vec::new();
    let from = Instant::now() + Duration::from_millis(200);
    while quiet.len() < 50 {
        match tokio::time::timeout(IN_VAIN, delays.recv()).await {
            Ok(Some(delay)) if Instant::now() < from => worst = worst.max(delay),
            Ok(Some(delay)) => quiet.push(delay),
            Ok(None) => std::future::pending().await,
            Err(_) => return Ok(Seen::Starved),
        }
        if quiet.len() % 10 == 9 {
            match probe(requests).await? {
                Some(took) => slowest = slowest.max(took),
                None => return Ok(Seen::Starved),
            }
        }
    }
    quiet.sort();
    drop(unread);
    Ok(Seen::Well { median: quiet[quiet.len() / 2], worst: worst.max(quiet[quiet.len() - 1]), probe: slowest })
}

/// A new request beside the crowd.
async fn probe(requests: &SendRequest<Bytes>) -> Result<Option<Duration>, h2::Error> {
    let asked = Instant::now();
    let whole = async { read(ask(requests, "/probe/0").await?.into_body()).await };
    match tokio::time::timeout(IN_VAIN, whole).await {
        Ok(answer) => answer.map(|_| Some(asked.elapsed())),
        Err(_) => Ok(None),
    }
}

async fn nobody_notices(stalled: usize, size: usize) {
    let seen = crowd(stalled, size, http2::call).await;
    // The limits are for a loaded machine and a debug build; the quiet median is below a millisecond.
    let Seen::Well { median, worst, probe } = seen else { panic!("{stalled} × {size}: {seen:?}") };
    assert!(median < Duration::from_millis(50), "{median:?}");
    assert!(worst < Duration::from_secs(3), "{worst:?}");
    assert!(probe < Duration::from_secs(3), "{probe:?}");
}

/// Fault B8: one reader that stalls in a flood of the smallest frames is not noticed by the other streams.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stalled_reader_of_the_smallest_chunks_is_not_noticed() {
    nobody_notices(1, http2::SMALLEST_CHUNK).await;
    nobody_notices(1, 20).await;
}

/// Fault B9: twenty readers that stall with full windows do not slow a healthy stream or a new request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_stalled_readers_are_not_noticed() {
    nobody_notices(20, 20).await;
    nobody_notices(20, 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_twenty_eight_stalled_readers_are_not_noticed() {
    nobody_notices(128, 60).await;
}

/// The healthy stream and the probes are two of the streams there may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_stalled_readers_as_there_are_streams_are_not_noticed() {
    nobody_notices(MAX_STREAMS as usize - 2, 200).await;
}

/// A node that fills its windows with single bytes for readers that stall is cut off before that costs much; each
/// unread frame takes some 240 bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_full_of_single_bytes_end_the_connection() {
    let seen = crowd(3, 1, http2::call).await;
    let Seen::Dead(error) = seen else { panic!("{seen:?}") };
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error}");
}

/// The settings of `http2::call`, so that one of them can be spoilt.
fn hub() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(ANSWER_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_max_send_streams(MAX_STREAMS as usize)
        .enable_push(false)
        .data_frame_budget(DATA_FRAME_BUDGET);
    builder
}

/// Fault B8: with the budget that h2 sets by itself the same reader ends the connection for all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_smaller_budget_one_stalled_reader_ends_the_connection_for_all() {
    // What h2 takes by itself for a connection window of 2 MiB.
    let seen = crowd(1, 20, |bytes| async move { hub().data_frame_budget(1 << 20).handshake(bytes).await }).await;
    let Seen::Dead(error) = seen else { panic!("{seen:?}") };
    assert_eq!(error.reason(), Some(Reason::ENHANCE_YOUR_CALM), "{error}");
}

/// Fault B9: with a connection window of eight streams the same readers starve the healthy ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_smaller_connection_window_stalled_readers_starve_the_healthy_ones() {
    let spoilt = |bytes| async move { hub().initial_connection_window_size(8 * ANSWER_WINDOW).handshake(bytes).await };
    let seen = crowd(20, 200, spoilt).await;
    assert!(matches!(seen, Seen::Starved), "{seen:?}");
}

#[test]
fn the_budget_covers_every_window_full_of_tokens_and_no_more() {
    let streams = u64::from(MAX_STREAMS);
    let cost = |size: u64| u64::from(ANSWER_WINDOW) / size * (256 - size);
    let budget = DATA_FRAME_BUDGET as u64;
    assert!(budget >= streams * cost(http2::ORDINARY_CHUNK as u64));
    assert!(budget >= 30 * cost(http2::SMALLEST_CHUNK as u64));
    assert!(budget / 255 < 300_000, "frames of one byte that may stand unread");
    assert!(streams * u64::from(ANSWER_WINDOW) <= u64::from(CONNECTION_WINDOW));
}
