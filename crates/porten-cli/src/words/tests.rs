//! What a person reads, for the pictures that matter.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A node that is ready, as the agent's socket tells it; a test changes what it is about.
fn ready() -> Value {
    let rung = |step: &str| json!({ "step": step, "state": "reached", "reason": "so", "remedy": null, "fix": null });
    json!({
        "seq": 7,
        "overall": { "state": "ready", "models": 1, "wanted": 1 },
        "host": {
            "kind": "run", "pid": 1, "version": "0.1.0", "name": "studio-1", "node": "811cece4",
            "since": "2026-11-22T09:00:00Z",
        },
        "account": { "name": "anna", "kept_in": "the Keychain" },
        "hub": {
            "url": "wss://porten.ai",
            "endpoint": "https://porten.ai/v1",
            "origin": { "from": "default" },
            "link": { "state": "online", "since": "2026-11-22T09:12:00Z" },
            "rtt_ms": 34,
        },
        "engine": {
            "url": "http://localhost:52415",
            "origin": { "from": "found" },
            "kind": "exo",
            "reach": { "state": "up", "since": "2026-11-22T11:00:00Z" },
        },
        "cluster": { "freshness": { "state": "fresh" }, "absent": [], "members": [mac("studio-1", true, &Value::Null), mac("mbp", false, &json!("rdma"))] },
        "memory": {
            "raw_mib": 131_072, "usable_mib": 98_304, "schedulable_mib": 98_304, "missing_mib": 0,
            "advertised_mib": 262_144, "origin": "set",
            "set_by": { "from": "environment", "name": "PORTEN_VRAM_BUDGET_MB" },
        },
        "models": [model("deepseek-v4-flash", &json!({ "state": "ready", "proven": "2026-11-22T11:59:52Z" }))],
        "activity": {"tokens_a_minute": [40, 0, 60]},
        "awake": {"state": "idle"},
        "traffic": { "in_flight": 0, "completed": 12, "failed": 1, "cancelled": 2, "refused": 0, "tokens": 900 },
        "ladder": [rung("signed_in"), rung("serving")],
        "notices": [],
    })
}

fn model(id: &str, state: &Value) -> Value {
    json!({
        "id": id, "engine_id": "x", "wanted": true, "state": state, "routes": ["/v1/chat/completions"],
        "standing": "eligible", "tokens_per_s": 24.8, "size_mib": 147_000, "placed": "here", "sharding": null, "link": null, "parts": [],
    })
}

fn mac(name: &str, this_mac: bool, link: &Value) -> Value {
    json!({
        "id": name, "name": name, "this_mac": this_mac, "state": { "state": "online" }, "model": "Mac Studio",
        "chip": "Apple M3 Ultra", "macos": "26.2", "macos_build": null, "installed_mib": 131_072, "free_mib": 100_000,
        "swapped_mib": 0, "usable_mib": 98_304, "usable_origin": "assumed", "models_mib": 0, "disk_mib": null,
        "disk_free_mib": null, "gpu_percent": 3, "cpu_percent": null, "gpu_celsius": 40, "watts": 30, "rdma": null,
        "thunderbolt_gbit_per_s": null, "link": link, "links": [],
    })
}

fn told(picture: Value) -> String {
    status(&serde_json::from_value(picture).unwrap(), now()).join("\n")
}

#[test]
fn a_node_that_is_ready_tells_where_it_stands_and_who_set_what() {
    assert_snapshot!(told(ready()), @r#"
    Ready

      Node      studio-1
      Account   anna · kept in the Keychain
      Hub       wss://porten.ai · Online for 2 h · 34 ms
      Engine    http://localhost:52415 (found by looking) · Answering for 1 h
      Memory    262144 MB for models, set by PORTEN_VRAM_BUDGET_MB
      Macs      studio-1 · 128 GB · Apple M3 Ultra · this Mac
                mbp · 128 GB · Apple M3 Ultra · RDMA
      Requests  0 running · 12 answered · 1 failed · 2 given up by clients · 0 refused
      Activity  100 tokens in the last 3 min
      Endpoint  https://porten.ai/v1 · the base URL of any OpenAI client · model deepseek-v4-flash
      API key   from whoever runs the Hub; your own Hub makes one with: porten-hub key add ACCOUNT. At porten.ai: in its portal
      Try it    curl https://porten.ai/v1/chat/completions -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' -d '{"model":"deepseek-v4-flash","messages":[{"role":"user","content":"Hello"}]}'

      deepseek-v4-flash  Ready · proven 8 s ago · 24.8 tok/s
    "#);
}

#[test]
fn a_proxy_on_the_way_to_the_hub_is_a_line_with_who_named_it() {
    let line = |origin: Value| {
        let mut picture = ready();
        picture["hub"]["proxy"] = json!({ "address": "proxy.test:3128", "origin": origin });
        told(picture).lines().find(|line| line.starts_with("  Proxy ")).map(str::to_owned)
    };
    let environment = json!({ "from": "environment", "name": "HTTPS_PROXY" });
    assert_eq!(line(environment).unwrap(), "  Proxy     proxy.test:3128 (HTTPS_PROXY)");
    assert_eq!(line(json!({ "from": "system" })).unwrap(), "  Proxy     proxy.test:3128 (system settings)");
}

#[test]
fn whether_the_machine_is_kept_awake_is_a_line_where_somebody_wants_it() {
    let line = |awake: Value| {
        let mut picture = ready();
        picture["awake"] = awake;
        told(picture).lines().find_map(|line| line.strip_prefix("  Awake     ").map(str::to_owned))
    };
    assert_eq!(line(json!({ "state": "not_wanted" })), None);
    assert_eq!(line(json!({ "state": "idle" })), None);
    assert_eq!(line(json!({ "state": "held" })).unwrap(), "kept awake on mains power while it is online");
    assert_eq!(line(json!({ "state": "on_battery" })).unwrap(), "on battery: this machine may sleep");
    let refused = json!({ "state": "refused", "why": "no logind answers" });
    assert_eq!(line(refused).unwrap(), "this machine may sleep: no logind answers");
}

#[test]
fn what_needs_a_person_is_the_first_line_with_its_remedy() {
    let mut picture = ready();
    picture["overall"] = json!({ "state": "needs_you" });
    picture["engine"]["reach"] = json!({ "state": "down", "why": "gone", "since": "2026-11-22T11:59:00Z" });
    picture["models"] = json!([model("deepseek-v4-flash", &json!({ "state": "withdrawn" }))]);
    picture["notices"] = json!([{
        "code": "engine_down", "subject": "", "severity": "needs_you", "title": "Can't reach the engine",
        "text": "No engine answers at http://localhost:8000.", "remedy": "Once it runs, Porten notices by itself",
        "fix": { "action": "start_engine" }, "since": "2026-11-22T11:59:00Z",
    }]);
    picture["headline"] = headline(&picture["notices"][0]);
    assert_snapshot!(told(picture), @r"
    Can't reach the engine · start it; if it is elsewhere: porten config set engine.url URL

      Node      studio-1
      Account   anna · kept in the Keychain
      Hub       wss://porten.ai · Online for 2 h · 34 ms
      Engine    http://localhost:52415 (found by looking) · No answer for 1 min
      Memory    262144 MB for models, set by PORTEN_VRAM_BUDGET_MB
      Macs      studio-1 · 128 GB · Apple M3 Ultra · this Mac
                mbp · 128 GB · Apple M3 Ultra · RDMA
      Requests  0 running · 12 answered · 1 failed · 2 given up by clients · 0 refused
      Activity  100 tokens in the last 3 min

      deepseek-v4-flash  Not offered · no engine answers

      ! No engine answers at http://localhost:8000.
    ");
}

#[test]
fn every_state_word_reads_as_it_is_meant() {
    let states = [
        json!({ "state": "off" }),
        json!({ "state": "connecting" }),
        json!({ "state": "serving", "requests": 1 }),
        json!({ "state": "serving", "requests": 2 }),
        json!({ "state": "ready", "models": 1, "wanted": 2 }),
        json!({ "state": "waiting", "until": "2026-11-22T12:00:12Z" }),
        json!({ "state": "finishing", "requests": 0 }),
        json!({ "state": "finishing", "requests": 2 }),
        json!({ "state": "needs_you" }),
        json!({ "state": "pending" }),
        json!({ "state": "blocked" }),
        json!({ "state": "models_off" }),
    ];
    let words = states.map(|state| serde_json::from_value::<Overall>(state).unwrap().words(now()));
    assert_snapshot!(words.join("\n"), @r"
    Off
    Connecting…
    Serving 1 request
    Serving 2 requests
    Ready · 1 of 2 models
    Trying again in 12 s
    Finishing
    Finishing 2 requests
    Action needed
    Getting ready
    Not serving
    Every model is off
    ");
}

#[test]
fn every_model_state_reads_as_it_is_meant() {
    let mut picture = ready();
    picture["models"] = json!([
        model("a", &json!({ "state": "off" })),
        model("b", &json!({ "state": "withdrawn" })),
        model("c", &json!({ "state": "unmatched", "why": "the engine does not serve c; it serves d" })),
        model("d", &json!({ "state": "proving" })),
        model("da", &json!({ "state": "waiting", "why": "a" })),
        model("db", &json!({ "state": "placing" })),
        model("dc", &json!({ "state": "downloading", "percent": 43, "mib_per_s": 1_100 })),
        model("dd", &json!({ "state": "loading", "layers": 12, "of": 43 })),
        model("de", &json!({ "state": "warming" })),
        model("df", &json!({ "state": "finishing", "requests": 2 })),
        model("dg", &json!({ "state": "off_elsewhere" })),
        model("e", &json!({ "state": "ready", "proven": "2026-11-22T11:58:00Z" })),
        model("f", &json!({ "state": "serving", "requests": 3 })),
        model("long-name", &json!({ "state": "failed", "why": "no token in 30 s" })),
    ]);
    picture["models"][11]["standing"] = json!("needs_memory");
    let lines = models(&serde_json::from_value(picture).unwrap(), now());
    assert_snapshot!(lines.join("\n"), @r"
    a          Off
    b          Not offered
    c          Failed · the engine does not serve c; it serves d
    d          Testing
    da         Waiting · a
    db         Loading · the engine was asked
    dc         Downloading 43% · 1100 MB/s
    dd         Loading 12/43 layers
    de         Warming · first token
    df         Finishing · 2 requests
    dg         Off elsewhere · turned off in exo
    e          Ready · proven 2 min ago · 24.8 tok/s · the Hub asks for more memory
    f          Serving 3 requests · 24.8 tok/s
    long-name  Failed · no token in 30 s
    ");
}

/// What stands first, of what blocks.
fn headline(notice: &Value) -> Value {
    json!({ "text": notice["title"], "remedy": notice["remedy"], "fix": notice["fix"] })
}

fn first_line(overall: &Value, text: &str, fix: &Value) -> String {
    let mut picture = ready();
    picture["overall"] = overall.clone();
    picture["headline"] = json!({ "text": text, "remedy": null, "fix": fix });
    super::headline(&serde_json::from_value(picture).unwrap(), now())
}

#[test]
fn the_first_line_names_what_blocks_and_what_to_type() {
    let state = |word: &str| json!({ "state": word });
    for (overall, text, fix, said) in [
        (state("off"), "Off", json!({ "action": "go_online" }), "Off · porten online"),
        (
            state("models_off"),
            "Every model is off",
            json!({ "action": "turn_on", "model": null }),
            "Every model is off · porten models on ID",
        ),
        (
            state("models_off"),
            "Every model is off",
            json!({ "action": "turn_on", "model": "glm-5" }),
            "Every model is off · porten models on glm-5",
        ),
        (state("pending"), "Loading glm-5 40%", Value::Null, "Loading glm-5 40%"),
        (
            state("blocked"),
            "exo isn't responding",
            json!({ "action": "restart_exo" }),
            "exo isn't responding · Quit exo on each Mac and open it again",
        ),
        (state("needs_you"), "Signed out", json!({ "action": "sign_in", "again": true }), "Signed out · porten login"),
        (
            state("blocked"),
            "glm-5 is not offered by the Hub",
            json!({ "action": "ask_hub", "model": "glm-5" }),
            "glm-5 is not offered by the Hub · Ask whoever runs the Hub to offer it",
        ),
    ] {
        assert_eq!(first_line(&overall, text, &fix), said);
    }
}

#[test]
fn no_sentence_stands_twice_in_a_status() {
    let why = "studio-1 would need 610 GB and its GPU can use 206 GB: 404 GB too much";
    let mut picture = ready();
    picture["models"] = json!([
        model("glm-5", &json!({ "state": "unfit", "why": why })),
        model("kimi", &json!({ "state": "ready", "proven": "2026-11-22T11:59:52Z" })),
    ]);
    picture["models"][1]["standing"] = json!("not_offered");
    picture["models"][1]["why"] = json!({ "reason": "not_offered", "nearest": "kimi-k3" });
    let notice = |code: &str, subject: &str, title: &str, text: &str, fix: Value| {
        let fix_of: porten_core::remedy::Remedy = serde_json::from_value(fix.clone()).unwrap();
        json!({ "code": code, "subject": subject, "severity": "needs_you", "title": title, "text": text,
            "remedy": fix_of.advice(), "fix": fix, "since": "2026-11-22T11:59:00Z" })
    };
    let unfit = "glm-5 needs 610 GB, this cluster holds 206";
    picture["notices"] = json!([
        notice("model_unfit", "glm-5", unfit, &format!("{why}."), json!({ "action": "make_room", "model": "glm-5" })),
        notice(
            "not_offered",
            "kimi",
            "kimi is not offered by the Hub",
            "The Hub's catalog does not list it, so no requests come.",
            json!({ "action": "ask_hub", "model": "kimi" }),
        ),
        notice(
            "hub_refused",
            "",
            "The Hub rejected the connection",
            "mbp was refused.",
            json!({ "action": "check_date" })
        ),
    ]);
    picture["hub"]["link"] = json!({ "state": "refused", "why": "mbp was refused", "remedy": "x", "fix": null });
    for (overall, headline) in [("needs_you", headline(&picture["notices"][0])), ("ready", Value::Null)] {
        let mut picture = picture.clone();
        picture["overall"] = json!({ "state": overall, "models": 1, "wanted": 2 });
        picture["headline"] = headline;
        let said = told(picture);
        let pieces = said.split(['\n', '.']).flat_map(|line| line.split(" · ")).flat_map(|part| part.split(": "));
        let mut sentences: Vec<&str> = pieces.map(str::trim).filter(|one| one.split(' ').count() > 3).collect();
        sentences.sort_unstable();
        let twice: Vec<&[&str]> = sentences.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?} in:\n{said}");
        assert!(said.contains("mbp was refused."), "a name keeps its letters:\n{said}");
    }
}

#[test]
fn a_frozen_exo_is_said_once_and_no_budget_is_advised() {
    let mut picture = ready();
    picture["overall"] = json!({ "state": "blocked" });
    picture["headline"] = json!({ "text": "exo isn't responding", "remedy": null, "fix": { "action": "restart_exo" } });
    picture["cluster"]["freshness"] = json!({ "state": "stale", "since": "2026-11-22T11:59:00Z" });
    for mac in [0, 1] {
        picture["cluster"]["members"][mac]["state"] = json!({ "state": "late", "since": "2026-11-22T11:59:00Z" });
    }
    picture["memory"] = json!({
        "raw_mib": null, "usable_mib": null, "schedulable_mib": null, "missing_mib": 262_144, "advertised_mib": 0,
        "origin": "unknown", "set_by": { "from": "default" },
    });
    picture["models"] = json!([model("glm-5", &json!({ "state": "withdrawn" }))]);
    assert_snapshot!(told(picture), @r"
    exo isn't responding · Quit exo on each Mac and open it again

      Node      studio-1
      Account   anna · kept in the Keychain
      Hub       wss://porten.ai · Online for 2 h · 34 ms
      Engine    http://localhost:52415 (found by looking) · Answering for 1 h
      Memory    Not known while exo tells nothing new
      Macs      studio-1 · 128 GB · Apple M3 Ultra · this Mac
                mbp · 128 GB · Apple M3 Ultra · RDMA
      Requests  0 running · 12 answered · 1 failed · 2 given up by clients · 0 refused
      Activity  100 tokens in the last 3 min

      glm-5  Not offered · exo has stopped updating
    ");
}
