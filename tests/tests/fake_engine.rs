//! The fake engine itself: what the other tests take for granted about it is shown here, over real sockets.

use std::time::{Duration, Instant};

use porten_tests::client::{Client, streamed_chat};
use porten_tests::engine::{Cut, Dialect, Engine, ErrorShape, Framing, List, Manner, Reply};
use porten_tests::transcript::{End, Transcript};
use porten_tests::wait_until;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(10);
const CHAT: &str = "/v1/chat/completions";

fn client(engine: &Engine) -> Client {
    Client::new(&engine.url(), "key")
}

async fn stream(engine: &Engine) -> Transcript {
    client(engine).stream_chat("tiny", "Hello").await
}

fn all() -> [Manner; 3] {
    [Manner::mlx("tiny"), Manner::llama("tiny"), Manner::exo("tiny")]
}

async fn idle(engine: &Engine) {
    wait_until(SOON, "the engine is idle", async || (engine.generating() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_whole_stream_is_a_success_in_every_dialect() {
    for manner in all() {
        let text = manner.text(8);
        let engine = Engine::start(manner.clone()).await;
        let told = stream(&engine).await;
        assert!(told.is_success(), "{told:?}");
        assert_eq!((told.content(), told.finish_reason()), (text, Some("stop")));
        assert_eq!(told.models(), ["tiny"]);
        assert_eq!(told.usage().is_some(), manner.dialect == Dialect::Exo, "only exo tells without being asked");
        let mut body = streamed_chat("tiny", "Hello");
        body["stream_options"] = json!({"include_usage": true});
        let told = client(&engine).stream(CHAT, &body).await.finish().await;
        assert_eq!(told.usage().unwrap()["completion_tokens"], 8, "{:?}", manner.dialect);
        assert_eq!(engine.chunks(), 16);
    }
}

#[tokio::test]
async fn the_text_route_and_documents_carry_the_same_content() {
    for manner in all() {
        let text = manner.text(8);
        let engine = Engine::start(manner).await;
        let client = client(&engine);
        let ask = |is_stream: bool| json!({"model": "tiny", "prompt": "Hello", "stream": is_stream});
        let told = client.stream("/v1/completions", &ask(true)).await.finish().await;
        assert!(told.is_success() && told.content() == text, "{told:?}");
        assert_eq!(client.post("/v1/completions", &ask(false)).await.content(), Some(text.as_str()));
        let answer = client.chat("tiny", "Hello").await;
        assert_eq!((answer.status, answer.content()), (200, Some(text.as_str())));
    }
}

#[tokio::test]
async fn max_tokens_ends_it_early_even_if_it_would_never_end() {
    let engine = Engine::start(Manner { chunks: None, ..Manner::exo("tiny") }).await;
    let mut body = streamed_chat("tiny", "Hello");
    body["max_tokens"] = 1.into();
    let told = client(&engine).stream(CHAT, &body).await.finish().await;
    assert_eq!((told.finish_reason(), told.is_success()), (Some("length"), true));
    assert!(engine.asked().is_empty() && engine.seen().len() == 1, "a one-token request is a proof of life");
}

#[tokio::test]
async fn chunks_have_the_wanted_sizes_and_none_can_be_lost_unseen() {
    let manner = Manner { chunks: Some(500), chunk_size: 20..=200, ..Manner::llama("tiny") };
    let engine = Engine::start(manner.clone()).await;
    let told = stream(&engine).await;
    assert_eq!(told.content(), manner.text(500));
    let sizes: Vec<_> = told.events.iter().filter_map(|(_, e)| e["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(sizes.len(), 500);
    assert!(sizes.iter().all(|text| (20..=200).contains(&text.len())));
    assert!(sizes.windows(2).all(|pair| pair[0] != pair[1]));
}

#[tokio::test]
async fn a_request_is_recorded_as_it_was_written() {
    let engine = Engine::start(Manner::llama("tiny")).await;
    let mut socket = TcpStream::connect(("127.0.0.1", engine.port())).await.unwrap();
    let raw = "POST /v1/../instance/%2e%2e?x=1 HTTP/1.1\r\nHOST: a\r\nX-Odd:  one\r\nx-odd: two\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    // One byte at a time, and a second request right behind.
    for byte in raw.bytes() {
        socket.write_all(&[byte]).await.unwrap();
    }
    socket.write_all(b"GET http://169.254.169.254/ HTTP/1.1\r\n\r\n").await.unwrap();
    let seen = wait_until(SOON, "both were seen", async || Some(engine.seen()).filter(|seen| seen.len() == 2)).await;
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("POST", "/v1/../instance/%2e%2e?x=1"));
    assert_eq!((seen[0].header("X-ODD"), seen[0].body.as_slice()), (vec!["one", "two"], b"abcde".as_slice()));
    assert!(seen[0].head.contains("\r\nX-Odd:  one\r\n"));
    assert_eq!(seen[1].target, "http://169.254.169.254/");
}

#[tokio::test]
async fn a_closing_engine_frames_nothing_and_a_chunked_one_keeps_its_connection() {
    for (framing, kept) in [(Framing::Closing, false), (Framing::Chunked, true)] {
        let engine = Engine::start(Manner { framing, ..Manner::mlx("tiny") }).await;
        let mut socket = TcpStream::connect(("127.0.0.1", engine.port())).await.unwrap();
        socket.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 4096];
        let mut text = String::new();
        while !text.ends_with('}') {
            let read = socket.read(&mut answer).await.unwrap();
            assert_ne!(read, 0, "{text}");
            text += &String::from_utf8_lossy(&answer[..read]);
        }
        assert_eq!(text.starts_with("HTTP/1.1"), kept, "{text}");
        assert_eq!(text.contains("content-length"), kept, "{text}");
        if !kept {
            assert_eq!(socket.read(&mut answer).await.unwrap(), 0, "the end of the connection is the end of the body");
        } else {
            assert_eq!(engine.connections(), 1);
        }
    }
}

#[tokio::test]
async fn every_cut_is_no_success_and_looks_the_way_it_should() {
    for framing in [Framing::Closing, Framing::Chunked] {
        for (cut, end) in [(Cut::Clean, End::Clean), (Cut::Torn, End::Cut), (Cut::Reset, End::Cut)] {
            let engine = Engine::start(Manner { framing, cut: Some((3, cut)), ..Manner::mlx("tiny") }).await;
            let told = stream(&engine).await;
            // Without frames a torn body looks as clean as any: that is the trap.
            let end = if (framing, cut) == (Framing::Closing, Cut::Torn) { End::Clean } else { end };
            assert_eq!((told.end, told.done, told.finish_reason()), (end, false, None), "{framing:?} {cut:?}");
            assert!(!told.is_success());
            idle(&engine).await;
            assert_eq!((engine.completed(), engine.cancelled()), (1, 0), "a planned cut is nobody's leaving");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_in_any_silence_and_in_any_flood() {
    let still = Duration::from_secs(600);
    let base = Manner { chunks: None, ..Manner::mlx("tiny") };
    for manner in [
        Manner { before_head: still, ..base.clone() },
        Manner { prefill: still, ..base.clone() },
        Manner { delay: still, ..base.clone() },
        Manner { chunk_size: 200..=200, ..base },
    ] {
        let engine = Engine::start(manner).await;
        let body = streamed_chat("tiny", "Hello");
        let asker = client(&engine);
        let asking = tokio::spawn(async move { asker.stream(CHAT, &body).await.finish().await });
        wait_until(SOON, "it generates", async || (engine.generating() == 1).then_some(())).await;
        asking.abort();
        idle(&engine).await;
        assert_eq!((engine.cancelled(), engine.completed()), (1, 0));
    }
}

#[tokio::test]
async fn a_reader_that_stalls_stops_the_generation_and_not_the_engine() {
    let manner = Manner { chunks: None, chunk_size: 200..=200, ..Manner::llama("tiny") };
    let engine = Engine::start(manner).await;
    let body = streamed_chat("tiny", "Hello");
    let stalled = client(&engine).stall(CHAT, &body).await;
    assert!(stalled.head.starts_with("HTTP/1.1 200"), "{}", stalled.head);
    let mut before = u64::MAX;
    wait_until(SOON, "its buffers are full", async || {
        let full = engine.chunks() == before;
        before = engine.chunks();
        tokio::time::sleep(Duration::from_millis(100)).await;
        full.then_some(())
    })
    .await;
    assert_eq!(client(&engine).get("/v1/models").await.status, 200);
    assert_eq!((engine.generating(), engine.most_generating()), (1, 1));
    drop(stalled);
    idle(&engine).await;
}

#[tokio::test]
async fn a_stream_comes_bit_by_bit() {
    let manner = Manner { chunks: Some(5), delay: Duration::from_millis(60), ..Manner::exo("tiny") };
    let engine = Engine::start(manner).await;
    let began = Instant::now();
    let told = stream(&engine).await;
    let (first, last) = (told.events.first().unwrap().0, told.events.last().unwrap().0);
    assert!(first - began >= Duration::from_millis(60));
    assert!(last - first >= Duration::from_millis(4 * 60 - 30), "{:?}", last - first);
}

#[tokio::test]
async fn errors_have_the_shapes_of_the_real_engines() {
    let engine = Engine::start(Manner::mlx("tiny")).await;
    for shape in ErrorShape::ALL {
        engine.change(|manner| manner.reply = Reply::Error(shape));
        let answer = client(&engine).chat("tiny", "Hello").await;
        let (status, content_type, body) = shape.parts();
        assert_eq!((answer.status, answer.text.as_str()), (status, body));
        assert_eq!(answer.headers["content-type"], content_type);
        assert_eq!(content_type == "application/json", answer.json != Value::Null, "{shape:?}");
    }
    engine.change(|manner| manner.reply = Reply::Empty);
    let answer = client(&engine).chat("tiny", "Hello").await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    engine.change(|manner| manner.reply = Reply::Redirect("http://169.254.169.254/".into()));
    let answer = client(&engine).chat("tiny", "Hello").await;
    assert_eq!((answer.status, &answer.headers["location"]), (302, &"http://169.254.169.254/".parse().unwrap()));
    engine.change(|manner| manner.reply = Reply::ErrorEvent(2));
    let told = stream(&engine).await;
    assert!(told.error().unwrap()["message"].as_str().unwrap().contains("signal=9"));
    assert!(told.done && !told.is_success(), "an error event ends in [DONE] as if all was well");
}

#[tokio::test]
async fn an_unknown_model_is_treated_as_each_engine_treats_it() {
    for (manner, status) in all().into_iter().zip([404, 200, 404]) {
        let engine = Engine::start(manner).await;
        assert_eq!(client(&engine).chat("org/other", "Hello").await.status, status);
    }
}

#[tokio::test]
async fn lists_are_good_or_bad_as_wanted_and_only_exo_has_a_node_id() {
    for manner in all() {
        let engine = Engine::start(Manner { models: vec!["a".into(), "/b c".into()], ..manner.clone() }).await;
        let client = client(&engine);
        let answer = client.get("/v1/models").await;
        let read = porten_core::models_list::read(answer.text.as_bytes()).unwrap();
        assert_eq!(read.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ["a", "/b c"]);
        let node_id = client.get("/node_id").await;
        assert_eq!(node_id.status == 200 && node_id.json.is_string(), manner.dialect == Dialect::Exo);
        engine.change(|manner| manner.list = List::Empty);
        assert_eq!(client.get("/v1/models").await.text, "");
        engine.change(|manner| manner.list = List::Body("null".into()));
        assert_eq!(client.get("/v1/models").await.text, "null");
        assert_eq!(client.get("/health").await.status, 200, "health says nothing");
        engine.change(|manner| manner.list = List::Silent);
        let asked = tokio::time::timeout(Duration::from_millis(200), client.get("/v1/models")).await;
        assert!(asked.is_err(), "a frozen engine says nothing");
    }
}

#[tokio::test]
async fn a_killed_engine_is_gone_and_comes_back_on_its_port() {
    let mut engine = Engine::start(Manner { chunks: None, ..Manner::mlx("tiny") }).await;
    let body = streamed_chat("tiny", "Hello");
    let mut streaming = client(&engine).stream(CHAT, &body).await;
    assert!(streaming.read(3).await);
    let (url, port) = (engine.url(), engine.port());
    engine.stop().await;
    assert_eq!((engine.connections(), engine.generating()), (0, 0));
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
    assert!(!streaming.finish().await.is_success());
    engine.restart().await;
    assert_eq!(engine.url(), url);
    engine.change(|manner| manner.chunks = Some(2));
    assert!(stream(&engine).await.is_success());
    assert_eq!(engine.seen().len(), 2, "what it saw stays");
    engine.forget();
    assert!(engine.seen().is_empty());
}

#[tokio::test]
async fn many_at_a_time_are_counted() {
    let manner = Manner { delay: Duration::from_millis(20), ..Manner::llama("tiny") };
    let engine = Engine::start(manner.clone()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let client = client(&engine);
        tasks.spawn(async move { client.stream_chat("tiny", "Hello").await });
    }
    let all = tasks.join_all().await;
    assert!(all.iter().all(|told| told.is_success() && told.content() == manner.text(8)));
    idle(&engine).await;
    assert_eq!((engine.completed(), engine.cancelled(), engine.asked().len()), (64, 0, 64));
    assert!(engine.most_generating() > 8, "{}", engine.most_generating());
}
