//! A Hub that asks a sign-in to wait longer, because somebody between asks twice.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use porten_tests::{Agent, Hub, wait_until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SOON: Duration = Duration::from_secs(30);

/// A whole request: its head, and as much body as that names.
async fn request(from: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    loop {
        if let Some(head) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |length| length.trim().parse().expect("a number"));
            if read.len() >= head + 4 + length {
                return read;
            }
        }
        if from.read_buf(&mut read).await.expect("a request") == 0 {
            return read;
        }
    }
}

async fn ask(hub: u16, request: &[u8]) -> Vec<u8> {
    let mut way = TcpStream::connect(("127.0.0.1", hub)).await.expect("the Hub");
    way.write_all(request).await.expect("the Hub");
    let mut answer = Vec::new();
    // Each request says that its connection ends with the answer.
    way.read_to_end(&mut answer).await.expect("an answer");
    answer
}

/// Passes on what comes, but asks for the tokens twice the first time.
async fn asks_twice(listener: TcpListener, hub: u16) {
    let twice = AtomicBool::new(false);
    while let Ok((mut near, _)) = listener.accept().await {
        let request = request(&mut near).await;
        if request.starts_with(b"POST /oauth/token") && !twice.swap(true, Ordering::SeqCst) {
            ask(hub, &request).await;
        }
        near.write_all(&ask(hub, &request).await).await.expect("the agent");
    }
}

/// Fault E7: a Hub that says `slow_down` is asked five seconds later from then on, the person reads so, and is signed in all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_asks_to_wait_longer_is_named_and_the_sign_in_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let place = listener.local_addr().expect("its address");
    let hub = Hub::start_behind(&format!("http://{place}")).await;
    let between = tokio::spawn(asks_twice(listener, hub.port()));
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", &format!("ws://{place}"));
    let (mut login, code) = agent.begin_login().await;
    let sentence = "The Hub asked to wait longer, so your answer is noticed within ";
    let said = async || login.stdout().lines().find_map(|line| line.strip_prefix(sentence).map(str::to_owned));
    let within = wait_until(SOON, "the Hub is said to have asked for it", said).await;
    let told = Instant::now();
    let seconds: u64 = within.trim_end_matches(" s.").parse().expect("seconds");
    assert!(seconds > 5, "five more than the Hub's own interval: {within}");
    hub.approve(&code).await;
    let ended = login.ended(SOON).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    assert!(told.elapsed() > Duration::from_secs(4), "it waited longer: {:?}", told.elapsed());
    assert_eq!(ended.stdout.matches(sentence).count(), 1, "{}", ended.stdout);
    between.abort();
}
