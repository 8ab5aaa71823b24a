//! The attacks of a Hub on an agent. Another request is a small one through the same tunnel.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use h2::client::SendRequest;
use http::Request;
use porten_link::{Beat, Control, Outgoing};
use porten_tests::engine::Manner;
use porten_tests::scripted_house::chat;
use porten_tests::{Agent, Engine, ScriptedHub};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::verdict::{Finding, Measured};
use super::{Times, beyond, control, load, watched};

/// From the start to the advert.
const READY: Duration = Duration::from_secs(40);
/// Models that the engine lists.
const MODELS: usize = 123;
/// Catalogues that are sent at most, and the time between two.
const CATALOGUES: usize = 100;
const EVERY: Duration = Duration::from_millis(400);
/// A `porten status` answers in this time.
const STATUS: Duration = Duration::from_secs(10);
const MIB: u64 = 1 << 20;

/// An attack on an agent.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// What the agent's memory may grow by (bytes).
    pub(crate) bound: u64,
    /// The account's name in the welcome.
    account: fn() -> String,
    run: for<'a> fn(&'a House, Instant) -> BoxFuture<'a, Vec<Finding>>,
}

/// All of them.
pub(crate) const ALL: &[Attack] = &[
    Attack {
        name: "agent-catalogue",
        what: "a Hub's catalogues of 4,400 ids, 1 MB each, to an agent whose engine lists 123 models",
        bound: 24 * MIB,
        account: plain,
        run: |house, until| Box::pin(catalogues(house, until, 4400)),
    },
    Attack {
        name: "agent-names",
        what: "a Hub's catalogues of 200 ids that are like the 123 models of the engine, each different",
        bound: 24 * MIB,
        account: plain,
        run: |house, until| Box::pin(catalogues(house, until, 200)),
    },
    Attack {
        name: "agent-account",
        what: "an account name of 600 kB in the welcome; `porten status` is asked meanwhile",
        bound: 24 * MIB,
        account: || "A".repeat(600_000),
        run: |house, until| Box::pin(statuses(house, until)),
    },
    Attack {
        name: "agent-body",
        what: "prompts of 31 MiB, one after the other, through the same tunnel",
        bound: 160 * MIB,
        account: plain,
        run: |house, until| Box::pin(bodies(house, until)),
    },
];

fn plain() -> String {
    "scripted".to_owned()
}

/// An engine with many models, an agent, and a Hub that is this process.
pub(crate) struct House {
    agent: Agent,
    requests: SendRequest<Bytes>,
    say: mpsc::Sender<Outgoing>,
    _hub: ScriptedHub,
    _engine: Engine,
}

impl House {
    async fn start(account: &str) -> Result<Self, String> {
        let others = (1..MODELS).map(|number| format!("mlx-community/Some-Model-Name-{number:04}-Instruct-2507-6bit"));
        let models = std::iter::once("tiny".to_owned()).chain(others).collect();
        // One token at once: what takes time is the agent.
        let engine =
            Engine::start(Manner { models, chunks: Some(1), delay: Duration::ZERO, ..Manner::mlx("tiny") }).await;
        let hub = ScriptedHub::start().await;
        let mut agent = Agent::bare();
        agent.unset("PORTEN_LOG");
        agent.set("PORTEN_HUB_URL", &hub.ws_url());
        agent.set("PORTEN_ENGINE", "openai").set("PORTEN_ENGINE_URL", &engine.url());
        hub.sign_in(&agent);
        agent.run();
        let socket = hub.upgraded().await;
        // As a Hub does: what it sends next must not stand behind megabytes in its own kernel.
        porten_link::tune(&socket).map_err(|error| error.to_string())?;
        let mut opened = porten_link::accept(socket).await;
        opened.receive().await.map_err(|_| "the agent says no hello")?;
        let welcome = json!({"type": "welcome", "node": "n", "account": account,
            "limits": {"max_streams": 520, "max_body_bytes": 33_554_432_u32}, "catalog": [offer("tiny")]});
        opened.send(welcome.to_string()).await.map_err(|_| "the agent takes no welcome")?;
        let (bytes, mut control) = opened.into_link(Beat::default());
        let (requests, connection) = porten_link::http2::call(bytes).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        tokio::time::timeout(READY, advertised(&mut control)).await.map_err(|_| "tiny is not advertised")??;
        let say = control.outgoing.clone();
        // What it says is heard, and what it hears must be taken.
        tokio::spawn(async move { while control.incoming.recv().await.is_some() {} });
        Ok(Self { agent, requests, say, _hub: hub, _engine: engine })
    }

    fn ask(&self, body: Bytes) -> impl Future<Output = Result<(), String>> + Send + 'static {
        let requests = self.requests.clone();
        async move {
            let request = Request::post("http://h/v1/chat/completions").header("content-type", "application/json");
            let request = request.body(()).map_err(|error| error.to_string())?;
            let text = |error: h2::Error| error.to_string();
            let mut requests = requests.ready().await.map_err(text)?;
            let (answer, mut stream) = requests.send_request(request, false).map_err(text)?;
            stream.send_data(body, true).map_err(text)?;
            let (head, mut body) = answer.await.map_err(text)?.into_parts();
            while let Some(data) = body.data().await {
                body.flow_control().release_capacity(data.map_err(text)?.len()).map_err(text)?;
            }
            if head.status == 200 { Ok(()) } else { Err(format!("status {}", head.status)) }
        }
    }
}

async fn advertised(control: &mut Control) -> Result<(), String> {
    loop {
        let said = control.incoming.recv().await.ok_or("the link ended")?;
        if said.contains(r#""type":"advert""#) && said.contains(r#""id":"tiny""#) {
            return Ok(());
        }
    }
}

fn offer(id: &str) -> Value {
    json!({"id": id, "memory_mib": 1, "routes": ["/v1/chat/completions"]})
}

/// One that takes less of a message's megabyte.
fn bare(id: &str) -> Value {
    json!({"id": id, "memory_mib": 1, "routes": []})
}

/// One round: quiet, attack, control.
pub(super) async fn round(attack: &Attack, times: Times) -> Result<Measured, String> {
    let mut house = House::start(&(attack.account)()).await?;
    let (id, said) = (house.agent.process().id(), house.agent.process().stderr().len());
    let small = |_| house.ask(chat("tiny"));
    load::steady(Duration::from_secs(1), small).await;
    let own = std::process::id();
    let quiet = watched(id, load::steady(Duration::from_secs(times.quiet), small));
    let (quiet, own_quiet) = watched(own, quiet).await?;
    let (quiet, quiet_use) = quiet?;
    let memory_before = porten_tests::process::resident(id).unwrap_or_default();
    let time = Duration::from_secs(times.attack);
    let both = async { tokio::join!(load::steady(time, small), (attack.run)(&house, Instant::now() + time)) };
    let (((attacked, findings), attack_use), own_use) = {
        let (done, own_use) = watched(own, watched(id, both)).await?;
        (done?, own_use)
    };
    let log = house.agent.process().stderr().len().saturating_sub(said) as u64;
    // A link that the attack ended tells nothing of a machine that is merely busy.
    drop(house);
    let house = House::start(&plain()).await?;
    load::steady(Duration::from_secs(1), |_| house.ask(chat("tiny"))).await;
    let victim_cpu_ms = beyond(&attack_use, &quiet_use, times);
    let attacker_cpu_ms = beyond(&own_use, &own_quiet, times);
    let control = control(victim_cpu_ms + attacker_cpu_ms, times, |_| house.ask(chat("tiny"))).await?;
    let memory_peak = attack_use.peak_rss;
    Ok(Measured {
        quiet,
        attack: attacked,
        control,
        victim_cpu_ms,
        attacker_cpu_ms,
        memory_before,
        memory_peak,
        log,
        findings,
    })
}

/// Catalogues of so many ids, each unlike the last one.
async fn catalogues(house: &House, until: Instant, count: usize) -> Vec<Finding> {
    let id = move |number: usize, round: usize| match count {
        0..=200 => format!("Some-Model-Name-{number:04}-Instruct-25{round:02}-6bit"),
        _ => format!("{}{number:05}{}", "x".repeat(194), round % 10),
    };
    for round in 0..CATALOGUES {
        // Elsewhere: the load's own clock must not stand still meanwhile.
        let made = tokio::task::spawn_blocking(move || {
            let last = std::iter::once(offer("tiny"));
            let offers: Vec<Value> = (1..count).map(|number| bare(&id(number, round))).chain(last).collect();
            json!({"type": "catalog", "models": offers}).to_string()
        });
        let Ok(message) = made.await else { break };
        let sent = tokio::time::timeout_at(until, house.say.send(Outgoing::Text(message))).await;
        if !matches!(sent, Ok(Ok(()))) {
            break;
        }
        if tokio::time::timeout_at(until, tokio::time::sleep(EVERY)).await.is_err() {
            break;
        }
    }
    Vec::new()
}

/// `porten status`, again and again.
async fn statuses(house: &House, until: Instant) -> Vec<Finding> {
    let mut seen = "it answered".to_owned();
    while Instant::now() < until && seen == "it answered" {
        let mut asked = house.agent.start(&["status", "--json"]);
        let begun = Instant::now();
        while asked.is_running() && begun.elapsed() < STATUS {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if asked.is_running() {
            "it did not answer".clone_into(&mut seen);
        } else if !serde_json::from_str(&asked.stdout())
            .is_ok_and(|status: Value| status["hub"]["link"]["state"] == "online")
        {
            seen = asked.stderr().lines().next().unwrap_or("it said nothing").chars().take(100).collect();
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    vec![Finding::new("`porten status` answers and says that the agent is online", seen == "it answered", seen)]
}

/// Large prompts, one after the other.
async fn bodies(house: &House, until: Instant) -> Vec<Finding> {
    let text = "a".repeat(31 * 1024 * 1024);
    // Not through a JSON writer, over which the load's own clock would stand still.
    let body = format!(r#"{{"model":"tiny","messages":[{{"role":"user","content":"{text}"}}]}}"#);
    let body = Bytes::from(body);
    let mut times = 0;
    let mut last = Ok(());
    while let Ok(asked) = tokio::time::timeout_at(until, house.ask(body.clone())).await {
        last = asked;
        if last.is_err() {
            break;
        }
        times += 1;
    }
    crate::runner::tell(&format!("  large prompts answered: {times}"));
    let seen = last.map_or_else(|why| why, |()| format!("{times} were"));
    vec![Finding::new("large prompts are answered too", seen.ends_with("were"), seen)]
}
