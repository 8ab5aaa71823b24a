//! What a person reads, for the pictures that matter.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::*;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A node that is ready, as the agent's socket tells it; a test changes what it is about.
fn ready() -> Value {
    let rung = |step: &str| json!({ "step": step, "state": "reached", "reason": "so", "remedy": null });
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
        "code": "engine_down", "subject": "", "severity": "needs_you", "title": "The engine does not answer",
        "text": "no engine answers at http://localhost:8000; start it", "remedy": "Porten notices by itself",
        "since": "2026-11-22T11:59:00Z",
    }]);
    assert_snapshot!(told(picture), @r"
    Needs you · No engine answers at http://localhost:8000; start it. Porten notices by itself.

      Node      studio-1
      Account   anna · kept in the Keychain
      Hub       wss://porten.ai · Online for 2 h · 34 ms
      Engine    http://localhost:52415 (found by looking) · No answer for 1 min
      Memory    262144 MB for models, set by PORTEN_VRAM_BUDGET_MB
      Macs      studio-1 · 128 GB · Apple M3 Ultra · this Mac
                mbp · 128 GB · Apple M3 Ultra · RDMA
      Requests  0 running · 12 answered · 1 failed · 2 given up by clients · 0 refused
      Activity  100 tokens in the last 3 min

      deepseek-v4-flash  Withdrawn · no engine

      ! The engine does not answer: No engine answers at http://localhost:8000; start it. Porten notices by itself.
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
    Needs you
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
    b          Withdrawn · no engine
    c          Failed · the engine does not serve c; it serves d
    d          Proving
    da         Waiting · a
    db         Loading · the engine was asked
    dc         Downloading 43 % · 1100 MB/s
    dd         Loading 12/43 layers
    de         Warming · first token
    df         Finishing · 2 requests
    dg         Off elsewhere · turned off in exo
    e          Ready · proven 2 min ago · 24.8 tok/s · the Hub asks for more memory
    f          Serving 3 requests · 24.8 tok/s
    long-name  Failed · no token in 30 s
    ");
}
