//! A Hub that breaks the rules loses its link, costs the agent no memory, and is served again when it keeps them.
#![cfg(target_os = "linux")] // /proc
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::Duration;

use porten_core::wire::{MAX_STREAMS, close};
use porten_tests::ScriptedHouse;
use porten_tests::frames::{self, END_HEADERS, END_STREAM, http2, kind, websocket, websocket_head};
use porten_tests::process::resident;
use porten_tests::scripted_house::{ask, chat};
use porten_tests::scripted_hub::welcome;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What a flood may cost on top of what the agent held before it (bytes). The allocator keeps what it was once given.
const FLAT: u64 = 4 * 1024 * 1024;
/// A flood that is not taken any more stands this long before it is given up: longer than a close takes.
const STUCK: Duration = Duration::from_secs(4);
/// What was sent has been read in this time.
const A_WHILE: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(20);

/// What the agent is to make of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// It ends the link.
    Ended,
    /// It takes all, or stops reading.
    Held,
}

/// Sends `begin` and then `flood` again and again over a link of its own, reading what comes back or not, and checks what
/// that costs and becomes of the link.
async fn attack(house: &mut ScriptedHouse, what: &str, [begin, flood]: [&[u8]; 2], times: usize, expected: Outcome) {
    attack_reading(house, what, [begin, flood], times, expected, true).await;
}

async fn attack_reading(
    house: &mut ScriptedHouse,
    what: &str,
    [begin, flood]: [&[u8]; 2],
    times: usize,
    expected: Outcome,
    reads: bool,
) {
    let id = house.agent.process().id();
    let before = resident(id).expect("the agent runs");
    let (link, mut control) = house.welcome().await;
    let (mut read, mut write) = tokio::io::split(link);
    let drain = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while reads && read.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
        // Kept: a link whose half is dropped is closed.
        std::future::pending::<()>().await;
        drop(read);
    });
    let mut most = before;
    let begin = [&frames::preface(), begin].concat();
    for octets in std::iter::once(begin.as_slice()).chain(std::iter::repeat_n(flood, times)) {
        let sent = tokio::time::timeout(STUCK, async {
            write.write_all(octets).await?;
            write.flush().await
        });
        most = most.max(resident(id).expect("the agent runs"));
        if !sent.await.is_ok_and(|sent| sent.is_ok()) {
            break;
        }
    }
    let patience = if expected == Outcome::Ended { SOON } else { A_WHILE };
    let ended = tokio::time::timeout(patience, control.end.wait_for(Option::is_some)).await.is_ok();
    most = most.max(resident(id).expect("the agent runs"));
    eprintln!("{what}: ended: {ended}, from {} to {} KiB", before / 1024, most / 1024);
    assert!(most < before + FLAT, "{what}: from {before} to {most} bytes");
    assert!(ended || expected == Outcome::Held, "{what}: the link lives");
    assert!(house.agent.process().is_running(), "{what}");
    drain.abort();
}

/// Fault B1: messages that are malformed, ten megabytes long, nested without end, doubled or of wrong types close the link
/// with 1002 or 1009, and memory stays as it was.
/// Fault B4: a text of 64 MiB is refused with 1009 by its announcement.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_are_none_close_the_link_with_their_code_and_cost_no_memory() {
    let (mut house, requests, _control) = ScriptedHouse::start().await;
    drop(requests);
    let id = house.agent.process().id();
    let before = resident(id).expect("the agent runs");
    let deep = format!(r#"{{"type":"catalog","models":{}"#, "[".repeat(10_000));
    let long = format!(r#"{{"type":"catalog","models":[],"x":"{}"}}"#, "a".repeat(900 * 1024));
    let cases: [(&str, Vec<u8>, u16); 10] = [
        ("no JSON", websocket(0x81, b"hello"), close::PROTOCOL),
        ("NUL", websocket(0x81, b"\0"), close::PROTOCOL),
        ("nested 10,000 deep", websocket(0x81, deep.as_bytes()), close::PROTOCOL),
        ("missing fields", websocket(0x81, br#"{"type":"drain"}"#), close::PROTOCOL),
        ("wrong types", websocket(0x81, br#"{"type":"catalog","models":"all"}"#), close::PROTOCOL),
        ("a doubled key", websocket(0x81, br#"{"type":"catalog","models":[],"models":[]}"#), close::PROTOCOL),
        ("a lone surrogate", websocket(0x81, br#"{"type":"drain","reason":"\ud800"}"#), close::PROTOCOL),
        ("no UTF-8", websocket(0x81, b"\xff\xfe"), close::PROTOCOL),
        ("10 MB", websocket_head(0x81, 10_000_000), close::TOO_BIG),
        ("64 MiB", websocket_head(0x81, 64 << 20), close::TOO_BIG),
    ];
    for (what, octets, code) in cases {
        let mut socket = house.upgraded().await;
        let unknown = br#"{"type":"confetti","n":1}"#;
        let said = [
            websocket(0x81, welcome().as_bytes()),
            websocket(0x82, &frames::preface()),
            websocket(0x81, unknown),
            websocket(0x81, long.as_bytes()),
        ];
        socket.write_all(&[said.concat(), octets].concat()).await.expect("the agent reads");
        let told = tokio::time::timeout(SOON, frames::read_close(&mut socket)).await.expect("a close");
        assert_eq!(told, Some(code), "{what}");
    }
    let after = resident(id).expect("the agent runs");
    eprintln!("from {} to {} KiB", before / 1024, after / 1024);
    assert!(after < before + FLAT, "from {before} to {after} bytes");
    house.assert_serves().await;
}

/// Fault B5: 100,000 requests that are reset at once cost no memory and reach the engine never beyond the cap; the next link
/// serves.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_reset_as_soon_as_they_are_made_cost_nothing() {
    let (mut house, requests, _control) = ScriptedHouse::start().await;
    drop(requests);
    let id = house.agent.process().id();
    let before = resident(id).expect("the agent runs");
    let (link, _control) = house.welcome().await;
    let (mut read, mut write) = tokio::io::split(link);
    let drain = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while read.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    });
    write.write_all(&frames::preface()).await.expect("the agent reads");
    let (head, body) = (frames::chat_head(&[]), chat("tiny"));
    let (mut sent, mut most, mut ended) = (0, before, false);
    for crowd in 0..1000_u32 {
        let mut octets = Vec::new();
        for number in 0..100 {
            let stream = (crowd * 100 + number) * 2 + 1;
            octets.extend(http2(kind::HEADERS, END_HEADERS, stream, &head));
            octets.extend(http2(kind::DATA, END_STREAM, stream, &body));
            octets.extend(http2(kind::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        }
        let written = tokio::time::timeout(SOON, async {
            write.write_all(&octets).await?;
            write.flush().await
        });
        if !written.await.is_ok_and(|written| written.is_ok()) {
            ended = true;
            break;
        }
        sent += 100;
        most = most.max(resident(id).expect("the agent runs"));
    }
    let seen = house.engine.most_generating();
    eprintln!("{sent} sent, ended: {ended}, from {} to {} KiB, {seen} at the engine", before / 1024, most / 1024);
    assert!(most < before + 2 * FLAT, "from {before} to {most} bytes");
    assert!(seen <= MAX_STREAMS as usize, "{seen} at the engine at a time");
    assert!(house.agent.process().is_running());
    drain.abort();
    drop(write);
    house.assert_serves().await;
}

/// Fault B6: a head without end, one over 16 KiB and one that unpacks to megabytes are refused, and memory stays flat.
#[tokio::test(flavor = "multi_thread")]
async fn heads_without_end_are_refused_and_cost_no_memory() {
    let (mut house, requests, _control) = ScriptedHouse::start().await;
    drop(requests);
    let begin = http2(kind::HEADERS, END_STREAM, 1, &frames::chat_head(&[]));
    let more = http2(kind::CONTINUATION, 0, 1, &frames::block(&[(b"x-a", &[b'a'; 8000])]));
    attack(&mut house, "continuations without end", [&begin, &more], 2000, Outcome::Ended).await;
    let empty = http2(kind::CONTINUATION, 0, 1, &[]).repeat(1000);
    attack(&mut house, "empty continuations without end", [&begin, &empty], 200, Outcome::Ended).await;
    // A field of 4,000 bytes goes into the table, and then each byte names it once more: 64 MB from 16 kB.
    let mut bomb = frames::chat_head(&[]);
    bomb.push(0x40);
    for text in [b"x-b".as_slice(), &[b'b'; 4000]] {
        frames::integer(&mut bomb, text.len());
        bomb.extend(text);
    }
    bomb.extend([0xBE; 12_000]);
    let heads = |first: u32| -> Vec<u8> {
        let head = |number: u32| http2(kind::HEADERS, END_STREAM | END_HEADERS, first + 2 * number, &bomb);
        (0..50).flat_map(head).collect()
    };
    attack(&mut house, "heads that unpack to megabytes", [&heads(1), &[]], 0, Outcome::Held).await;
    house.assert_only_probes();
    house.assert_serves().await;
}

/// Fault B7: floods of settings and of pings, answered or not, cost no memory; windows that overflow end the link.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_settings_and_pings_cost_no_memory_and_windows_that_overflow_end_the_link() {
    let (mut house, requests, _control) = ScriptedHouse::start().await;
    drop(requests);
    let settings = http2(kind::SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]).repeat(1000);
    let pings = http2(kind::PING, 0, 0, b"12345678").repeat(1000);
    for reads in [true, false] {
        attack_reading(&mut house, "settings", [&[], &settings], 100, Outcome::Held, reads).await;
        attack_reading(&mut house, "pings", [&[], &pings], 100, Outcome::Held, reads).await;
    }
    let window = http2(kind::WINDOW_UPDATE, 0, 0, &0x7FFF_FFFF_u32.to_be_bytes());
    attack(&mut house, "a window that overflows", [&window, &window], 1000, Outcome::Ended).await;
    let huge = http2(kind::SETTINGS, 0, 0, &[0, 4, 0xFF, 0xFF, 0xFF, 0xFF]);
    attack(&mut house, "a window of 2^32", [&huge, &[]], 0, Outcome::Ended).await;
    house.assert_only_probes();
    house.assert_serves().await;
}

/// Fault F9: 3,000 requests that are refused one after the other leave a few lines in the log, the last of which count the rest.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_repeats_without_end_does_not_fill_the_log() {
    let (mut house, requests, _control) = ScriptedHouse::start_with(|agent| {
        agent.set("PORTEN_LOG", "info");
    })
    .await;
    for _ in 0..3000 {
        let request = http::Request::post("http://h/instance").body(()).expect("a request");
        assert_eq!(ask(&requests, request, bytes::Bytes::new()).await.0, 404);
    }
    let log = house.agent.process().stderr();
    let refused = log.lines().filter(|line| line.contains("refused")).count();
    assert!((1..=24).contains(&refused), "{refused} lines");
    assert!(log.len() < 8 * 1024, "{} bytes", log.len());
}
