//! The same requests, asked of the engine directly and through Hub, tunnel and agent, say the same.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use porten_tests::differential::canonical::expected_status;
use porten_tests::differential::case::ENGINE_ID;
use porten_tests::differential::{Canonical, Case, CaseEngine, Ending, read};
use porten_tests::house::is_ready;
use porten_tests::{Agent, Client, Hub};

/// All of it: some fifteen seconds, unoptimised.
const CASES: u64 = 5_000;
/// Clients that ask at a time, each over connections of its own.
const CLIENTS: u64 = 8;
const SEED: u64 = 20_261_125;

/// A whole answer, as far as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    kind: String,
    body: Vec<u8>,
    ended: bool,
}

async fn ask(client: &Client, case: &Case, model: &str) -> Answer {
    let mut response = client.send(case.path(), &case.body(model)).await.expect("a head of an answer");
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_owned();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let ended = loop {
        match response.chunk().await {
            Ok(Some(bytes)) => body.extend_from_slice(&bytes),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Answer { status, kind, body, ended }
}

/// Asks through the house. A node that failed a few may be given a rest by its Hub: that is no answer to the case.
async fn ask_through(client: &Client, case: &Case) -> Answer {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask(client, case, "tiny").await;
        let rests = answer.status == 503 && String::from_utf8_lossy(&answer.body).contains("\"code\":\"no_node\"");
        if !rests || Instant::now() > until {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn canonical(case: &Case, answer: &Answer) -> Canonical {
    read(answer.status, case.stream, &answer.body, answer.ended, case.choices.len())
}

/// What differs, if anything that should not.
fn compare(case: &Case, direct: &Answer, through: &Answer) -> Result<(), String> {
    let (said, heard) = (canonical(case, direct), canonical(case, through));
    let same = |what: &str, is_same: bool| if is_same { Ok(()) } else { Err(what.to_owned()) };
    same("the engine's id", !String::from_utf8_lossy(&through.body).contains(ENGINE_ID))?;
    if let Ending::Refused(_) = case.ending {
        same("the status", through.status == expected_status(direct.status, &direct.body))?;
        same("the shape of the error", through.kind == "application/json" && heard.error.is_some())?;
        // Its words, where it had any.
        let words = said.error.filter(|words| !words.contains(ENGINE_ID));
        return same("the words", words.is_none_or(|words| heard.error.is_some_and(|error| error.contains(&words))));
    }
    if case.ending != Ending::Whole {
        same("a broken answer looks whole", !said.is_whole && !heard.is_whole)?;
        same("a broken answer without an error", heard.error.is_some() || !through.ended)?;
        // A client that does not stream gets an error instead of a part.
        return same("the part that came", !case.stream || through.status != 200 || said.choices == heard.choices);
    }
    same("whole", said.is_whole && heard.is_whole)?;
    same("the status and the type", (direct.status, &direct.kind) == (through.status, &through.kind))?;
    same("what was said", said.choices == heard.choices)?;
    same("the model's name", heard.models == ["tiny"])?;
    let asked = !case.stream || case.include_usage;
    same("the usage", if asked { heard.usage == Some(case.usage()) } else { heard.usage.is_none() })
}

/// Fault D12: whatever shape of an error an engine gives, what comes through is one OpenAI error with its words.
/// Fault D13: 5,000 random answers, their bytes cut anywhere, say through the house what they say directly, streamed or not.
#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_answers_through_the_house_say_what_the_engine_said() {
    let seed = std::env::var("PORTEN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(SEED);
    let engine = CaseEngine::start(seed).await;
    let hub = Hub::start_with_log("warn").await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_LOG", "warn");
    agent.set_engine(&engine.url()).set("PORTEN_ENGINE_MODELS", &format!("tiny={ENGINE_ID}"));
    agent.login(&hub).await;
    agent.run();
    agent.status_until(Duration::from_secs(30), "the agent is ready", is_ready).await;
    let begun = Instant::now();
    let client = async |first: u64| {
        let (direct, through) = (Client::new(&engine.url(), ""), hub.client());
        let mut different = Vec::new();
        for number in (first..CASES).step_by(usize::try_from(CLIENTS).expect("a few")) {
            let case = Case::of(seed, number);
            let (said, heard) = (ask(&direct, &case, ENGINE_ID).await, ask_through(&through, &case).await);
            if let Err(what) = compare(&case, &said, &heard) {
                let shown = [&said, &heard]
                    .map(|answer| format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)));
                different.push(format!("{what} of {case:?}\ndirect: {}\nthrough: {}\n", shown[0], shown[1]));
            }
        }
        different
    };
    let different = join_all((0..CLIENTS).map(client)).await.concat();
    eprintln!("{CASES} cases twice in {:?}", begun.elapsed());
    let first: Vec<_> = different.iter().take(3).cloned().collect();
    assert!(different.is_empty(), "seed {seed}: {} differ, the first of them:\n{}", different.len(), first.join("\n"));
}
