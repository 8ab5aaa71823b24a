// Every moment of the popover that is worth a picture.
import type { Scene } from "../bindings/Scene";
import type { Snapshot } from "../bindings/Snapshot";
import { extremes } from "./extremes";
import { ago, heading, hour, ladder, mac, model, NOW, notice, on, scene, snapshot } from "./make";

const SIGN_IN = notice("sign_in", "needs_you", "Signed out", "Nobody is signed in to the Hub on this machine.", "Sign in", { action: "sign_in", again: false });
const SIGNED_OUT = snapshot({
  overall: { state: "needs_you" },
  headline: heading(SIGN_IN),
  account: null,
  hub: { ...snapshot().hub, link: { state: "signed_out", why: null }, rtt_ms: null },
  notices: [SIGN_IN],
});
/** Installed (GB). */
const SIZES = [512, 512, 256, 256, 64, 128];
/** Of six Macs (%). */
const BUSY = [76, 74, 70, 71, 0, 3];
const KINDS = ["deepseek-v4-flash", "gemma-4", "glm-5", "gpt-oss-120b", "kimi-k2.6", "llama-4-scout", "minimax-m2.7", "mistral-large-3", "nemotron-4", "qwen3-coder-next"];
const FORTY = KINDS.flatMap((kind) => ["", "-4bit", "-8bit", "-bf16"].map((cut) => `${kind}${cut}`));
const CODE = "WDJB-MJHT";
const NO_ANSWER = "no engine answers at http://localhost:52415; start it, or correct PORTEN_ENGINE_URL";
const DOWN: Snapshot["engine"] = {
  url: "http://localhost:52415",
  origin: { from: "found" },
  kind: null,
  reach: { state: "down", why: NO_ANSWER, since: ago(1400) },
};
const THIS_MAC: Snapshot["memory"] = { set_by: { from: "default" }, raw_mib: 131_072, usable_mib: 98_304, schedulable_mib: 98_304, missing_mib: 0, advertised_mib: 98_304, origin: "assumed" };
const NO_ENGINE = notice(
  "engine_down",
  "needs_you",
  "Can't reach exo",
  "No engine answers at http://localhost:52415; start it, or correct PORTEN_ENGINE_URL.",
  "Once it runs, Porten notices by itself",
  { action: "start_engine" },
);
const LOST = notice(
  "member_lost",
  "degraded",
  "studio-2 stopped responding",
  "Without it deepseek-v4-flash can't run. It fits on the Macs that are left, and Porten loads it there when exo releases it.",
  "Check that studio-2 is awake and exo is open there",
  { action: "check_mac", mac: "studio-2" },
  "studio-2",
);
const STALE = notice("cluster_stale", "degraded", "exo isn't responding", "It answers, but has stopped updating: it has lost its leader, or hangs.", "Quit exo on each Mac and open it again", { action: "restart_exo" });
const REPLAYING = notice("cluster_replaying", "degraded", "exo is replaying its history", "Until it is through, nothing that it says is believed, and the last picture of the Macs stays.", "This can take a few minutes", { action: "await_replay" });
const STALLED = notice("load_stalled", "needs_you", "deepseek-v4-flash is stuck loading", "No byte for 90 s on mbp.", "Quit exo on that Mac and open it again, or turn the model off and on", { action: "restart_load", model: "deepseek-v4-flash" }, "deepseek-v4-flash");
const UNFIT = notice("model_unfit", "needs_you", "kimi-k2.7-code needs 610 GB, this cluster holds 480", "studio-1 would need 205 GB and its GPU can use 192 GB: 13 GB too much.", "Turn another model off, or load it anyway, at a Mac's risk", { action: "make_room", model: "kimi-k2.7-code" }, "kimi-k2.7-code");
const REFUSED = notice("hub_refused", "needs_you", "The Hub rejected the connection", "The server at the Hub's address does not speak Porten's protocol (HTTP 404).", "Check the Hub's address; if it is right, ask whoever runs the Hub", { action: "check_hub_address" });
const UNMATCHED = notice("model_unmatched", "needs_you", "No model called “qwen-3-codre”", "The engine does not serve qwen-3-codre; it serves qwen3-coder-next.", "Say which of the engine's models it is", { action: "match_model", model: "qwen-3-codre" }, "qwen-3-codre");
const NOT_OFFERED = notice("not_offered", "degraded", "glm-5 is not offered by the Hub", "The Hub's catalog does not list it, so no requests come.", "Ask whoever runs the Hub to offer it", { action: "ask_hub", model: "glm-5" }, "glm-5");
const PAUSED: Snapshot["headline"] = { text: "Paused", remedy: "End the pause", fix: { action: "resume" } };
/** What the models do while no Hub is connected. */
const AWAY = [
  model("deepseek-v4-flash", { state: "ready", proven: ago(90) }, { standing: null }),
  model("qwen3-coder-next", { state: "ready", proven: ago(90) }, { parts: on("mbp"), standing: null }),
  model("minimax-m2.7", { state: "off" }),
];
/** An hour whose last minutes were still. */
const STILL: Snapshot["activity"] = { tokens_a_minute: [...hour(86).slice(9), 0, 0, 0, 0, 0, 0, 0, 0, 0] };
const QUIET: Partial<Snapshot> = { models: AWAY, activity: STILL, traffic: { ...snapshot().traffic, in_flight: 0 } };

export const stories: Record<string, Scene> = {
  ...extremes,
  serving: scene(),
  attention: scene({
    overall: { state: "ready", models: 1, wanted: 2 },
    memory: { ...THIS_MAC, raw_mib: 393_216, usable_mib: 294_912, schedulable_mib: 294_912, missing_mib: 262_144, advertised_mib: 294_912 },
    cluster: {
      freshness: { state: "fresh" },
      absent: [],
      members: [
        mac("studio-1", 256, { this_mac: true, link: null, models_mib: 0, free_mib: 235 * 1024, gpu_percent: 2 }),
        mac("studio-2", 256, { state: { state: "late", since: ago(130) }, free_mib: null, models_mib: 0, gpu_percent: null }),
        mac("mbp", 128, { chip: "Apple M5 Max", models_mib: 72 * 1024, free_mib: 12 * 1024, link: "thunderbolt_ip" }),
      ],
    },
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [
      model("deepseek-v4-flash", { state: "broken", why: "studio-2, which holds a part of it, stopped responding" }),
      model("qwen3-coder-next", { state: "ready", proven: ago(20) }, { parts: on("mbp") }),
      model("minimax-m2.7", { state: "off" }),
    ],
    notices: [LOST],
  }),
  "mac-left": scene({
    overall: { state: "ready", models: 1, wanted: 1 },
    traffic: { ...snapshot().traffic, in_flight: 0 },
    memory: { ...THIS_MAC, raw_mib: 262_144, usable_mib: 196_608, schedulable_mib: 196_608, missing_mib: 131_072, advertised_mib: 196_608 },
    cluster: {
      freshness: { state: "fresh" },
      absent: [{ id: "b", name: "studio-2", since: ago(700), installed_mib: 131_072 }, { id: "c", name: "old-mini", since: null, installed_mib: null }],
      members: [
        mac("studio-1", 256, { this_mac: true, link: null, gpu_percent: 2 }),
        mac("mini", 64, { link: "ethernet", gpu_percent: 3 }),
        mac("mbp", 128, { chip: "Apple M5 Max", link: "thunderbolt_ip" }),
      ],
    },
    models: [model("qwen3-coder-next", { state: "ready", proven: ago(20) }, { parts: on("mbp") })],
  }),
  "mac-lost": scene({
    overall: { state: "blocked" },
    headline: heading(LOST),
    memory: { ...THIS_MAC, raw_mib: 262_144, usable_mib: 196_608, schedulable_mib: 196_608, missing_mib: 262_144, advertised_mib: 196_608 },
    cluster: {
      freshness: { state: "fresh" },
      absent: [],
      members: [
        mac("studio-1", 256, { this_mac: true, link: null, gpu_percent: 2 }),
        mac("studio-2", 256, { state: { state: "late", since: ago(9) }, gpu_percent: null }),
      ],
    },
    models: [
      model("deepseek-v4-flash", { state: "broken", why: "studio-2, which holds a part of it, stopped responding" }),
      model("kimi-k2.7-code", { state: "unfit", why: "studio-1 would need 610 GB and its GPU can use 206 GB: 404 GB too much" }),
      model("qwen3-coder-next", { state: "stalled", why: "no byte for 90 s on studio-1" }, { parts: on("studio-1") }),
      model("gpt-oss-120b", { state: "cold", since: ago(4_000) }, { parts: [], placed: null }),
    ],
    notices: [LOST],
  }),
  "slow-link": scene({
    notices: [
      notice(
        "slow_link",
        "degraded",
        "A slow link is in use",
        "deepseek-v4-flash is slower than it could be: its parts talk over Wi-Fi, and their Macs have RDMA over Thunderbolt 5.",
        "Check the cables, then turn deepseek-v4-flash off and on to place it again",
        { action: "check_cables", model: "deepseek-v4-flash" },
      ),
      notice("limit_assumed", "note", "Memory is estimated", "It is good to know, and not shown here.", "If you raised a Mac's limit, tell Porten", { action: "tell_limit", mac: null, mib: null }),
    ],
  }),
  "two-notices": scene({
    overall: { state: "ready", models: 1, wanted: 3 },
    models: [
      model("deepseek-v4-flash", { state: "ready", proven: ago(20) }),
      model("glm-5", { state: "ready", proven: ago(60) }, { standing: "not_offered" }),
      model("qwen-3-codre", { state: "unmatched", why: "the engine does not serve qwen-3-codre; it serves qwen3-coder-next" }),
    ],
    notices: [UNMATCHED, NOT_OFFERED],
  }),
  "nothing-answers": scene({
    overall: { state: "needs_you" },
    headline: heading(NO_ENGINE),
    hub: { ...snapshot().hub, link: { state: "waiting", until: ago(-12), why: "no network" }, rtt_ms: null },
    cluster: null,
    engine: DOWN,
    memory: THIS_MAC,
    models: [model("deepseek-v4-flash", { state: "withdrawn" }), model("minimax-m2.7", { state: "off" }, { size_mib: null })],
    notices: [
      NO_ENGINE,
      notice("hub_unreachable", "degraded", "No connection to the Hub", "The Hub cannot be reached (no network).", "Porten keeps trying; check the network and wss://hub.example.net", { action: "check_network", hub: "wss://hub.example.net" }),
    ],
  }),
  stale: scene({
    overall: { state: "blocked" },
    headline: heading(STALE),
    cluster: { freshness: { state: "stale", since: ago(95) }, absent: [], members: (snapshot().cluster?.members ?? []).map((one) => ({ ...one, state: { state: "late", since: ago(95) } })) },
    memory: { ...THIS_MAC, raw_mib: null, usable_mib: null, schedulable_mib: null, missing_mib: 655_360, advertised_mib: 0, origin: "unknown" },
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [model("deepseek-v4-flash", { state: "withdrawn" }), model("qwen3-coder-next", { state: "withdrawn" }, { parts: on("mbp") })],
    notices: [STALE],
  }),
  "catching-up": scene({
    overall: { state: "pending" },
    headline: heading(REPLAYING),
    cluster: { freshness: { state: "replaying" }, absent: [], members: snapshot().cluster?.members ?? [] },
    ladder: ladder({ step: "cluster_complete", state: "pending", reason: REPLAYING.title, remedy: REPLAYING.remedy, fix: REPLAYING.fix }),
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [
      model("deepseek-v4-flash", { state: "waiting", why: "exo" }),
      model("qwen3-coder-next", { state: "waiting", why: "exo" }, { parts: on("mbp") }),
      model("minimax-m2.7", { state: "off" }),
    ],
    notices: [REPLAYING],
  }),
  loading: scene({
    overall: { state: "pending" },
    headline: { text: "Loading deepseek-v4-flash 28%", remedy: null, fix: null },
    ladder: ladder({ step: "model_loaded", state: "pending", reason: "Loading deepseek-v4-flash 28%", remedy: null, fix: null }),
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [
      model("deepseek-v4-flash", { state: "loading", layers: 12, of: 43 }, {
        parts: [
          { on: "studio-1", weights_mib: 80_000, layers: 22, state: { state: "loading", layers: 12, of: 22 } },
          { on: "studio-2", weights_mib: 80_000, layers: 21, state: { state: "downloading", done_mib: 34_400, total_mib: 80_000, mib_per_s: 1130, left_s: 360 } },
        ],
      }),
      model("glm-5", { state: "downloading", percent: 43, mib_per_s: 1130 }),
      model("gpt-oss-120b", { state: "warming" }),
      model("kimi-k3", { state: "proving" }),
      model("qwen3-coder-next", { state: "waiting", why: "for deepseek-v4-flash" }),
      model("minimax-m2.7", { state: "placing" }),
    ],
  }),
  stalled: scene({
    overall: { state: "needs_you" },
    headline: heading(STALLED),
    ladder: ladder({ step: "model_proven", state: "failed", reason: STALLED.title, remedy: STALLED.remedy, fix: STALLED.fix }),
    models: [
      model("deepseek-v4-flash", { state: "stalled", why: "no byte for 90 s on mbp" }, {
        parts: [
          { on: "studio-1", weights_mib: 80_000, layers: 22, state: { state: "ready" } },
          { on: "mbp", weights_mib: 80_000, layers: 21, state: { state: "downloading", done_mib: 16_400, total_mib: 80_000, mib_per_s: null, left_s: null } },
        ],
      }),
      model("minimax-m2.7", { state: "off" }),
    ],
    notices: [STALLED],
  }),
  unfit: scene({
    overall: { state: "needs_you" },
    headline: heading(UNFIT),
    ladder: ladder({ step: "model_proven", state: "failed", reason: UNFIT.title, remedy: UNFIT.remedy, fix: UNFIT.fix }),
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [model("kimi-k2.7-code", { state: "unfit", why: "studio-1 would need 205 GB and its GPU can use 192 GB: 13 GB too much" }, { parts: [] }), model("minimax-m2.7", { state: "off" })],
    notices: [UNFIT],
  }),
  "models-off": scene({
    overall: { state: "models_off" },
    headline: { text: "Every model is off", remedy: "Turn minimax-m2.7 on", fix: { action: "turn_on", model: "minimax-m2.7" } },
    ladder: ladder({ step: "model_proven", state: "failed", reason: "Every model is off", remedy: "Turn minimax-m2.7 on", fix: { action: "turn_on", model: "minimax-m2.7" } }),
    traffic: { ...snapshot().traffic, in_flight: 0 },
    activity: STILL,
    models: [model("minimax-m2.7", { state: "off" })],
  }),
  steps: scene({
    overall: { state: "pending" },
    headline: { text: "Testing deepseek-v4-flash", remedy: null, fix: null },
    ladder: ladder({ step: "model_proven", state: "pending", reason: "Testing deepseek-v4-flash", remedy: null, fix: null }),
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [model("deepseek-v4-flash", { state: "proving" }), model("minimax-m2.7", { state: "off" })],
  }),
  paused: scene({
    activity: STILL,
    overall: { state: "paused", until: ago(-14_160) },
    headline: PAUSED,
    pause: { pause: { how: "until", until: ago(-14_160) }, rests: true, cannot: null },
    hub: { ...snapshot().hub, link: { state: "off" }, rtt_ms: null },
    models: [
      model("deepseek-v4-flash", { state: "ready", proven: ago(600) }, { standing: null }),
      model("qwen3-coder-next", { state: "ready", proven: ago(600) }, { parts: on("mbp"), standing: null }),
      model("minimax-m2.7", { state: "off" }),
    ],
  }),
  "paused-in-use": scene({
    activity: STILL,
    overall: { state: "paused", until: null },
    headline: PAUSED,
    pause: { pause: { how: "while_in_use" }, rests: true, cannot: null },
    hub: { ...snapshot().hub, link: { state: "off" }, rtt_ms: null },
    models: [model("deepseek-v4-flash", { state: "ready", proven: ago(600) }, { standing: null }), model("minimax-m2.7", { state: "off" })],
  }),
  more: scene(),
  "quit-now": scene({ overall: { state: "finishing", requests: 2 } }, { quitting: true }),
  ready: scene({
    overall: { state: "ready", models: 2, wanted: 2 },
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [
      model("deepseek-v4-flash", { state: "ready", proven: ago(8) }),
      model("qwen3-coder-next", { state: "ready", proven: ago(8) }, { parts: on("mbp") }),
      model("minimax-m2.7", { state: "off" }),
    ],
    activity: { tokens_a_minute: hour(12).slice(-14) },
  }),
  waiting: scene({
    overall: { state: "waiting", until: ago(-12) },
    hub: { ...snapshot().hub, link: { state: "waiting", until: ago(-12), why: "the Hub did not answer" }, rtt_ms: null },
    ...QUIET,
  }),
  finishing: scene({ overall: { state: "finishing", requests: 2 } }, { quitting: true }),
  "why-no-requests": scene({
    overall: { state: "ready", models: 1, wanted: 4 },
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [
      model("deepseek-v4-flash", { state: "ready", proven: ago(90) }, { why: { reason: "idle", asked: ago(720), since: ago(17_000), nodes: 14 } }),
      model("glm-5", { state: "ready", proven: ago(60) }, { standing: "not_offered", why: { reason: "not_offered", nearest: "glm-5.1" } }),
      model("kimi-k3", { state: "ready", proven: ago(60) }, { standing: "needs_memory", why: { reason: "needs_memory", needs_mib: 614_400, has_mib: 491_520 } }),
      model("qwen3-coder-next", { state: "ready", proven: ago(60) }, { standing: "resting", why: { reason: "resting", failures: 3, until: ago(-20) } }),
    ],
  }),
  "hub-drains": scene({
    overall: { state: "serving", requests: 1 },
    hub: { ...snapshot().hub, drains: "Whoever runs the Hub asked this node to finish." },
    models: [
      model("deepseek-v4-flash", { state: "serving", requests: 1 }, { standing: "hub_drains", why: { reason: "hub_drains" } }),
      model("minimax-m2.7", { state: "off" }),
    ],
  }),
  offline: scene({
    activity: STILL,
    overall: { state: "off" },
    headline: { text: "Off", remedy: "Go online", fix: { action: "go_online" } },
    online: false,
    models: [
      model("deepseek-v4-flash", { state: "ready", proven: ago(600) }, { standing: null }),
      model("qwen3-coder-next", { state: "ready", proven: ago(600) }, { parts: on("mbp"), standing: null }),
      model("minimax-m2.7", { state: "off" }),
    ],
    hub: { ...snapshot().hub, link: { state: "off" }, rtt_ms: null },
    traffic: { in_flight: 0, completed: 3, failed: 0, cancelled: 0, refused: 0, tokens: 90 },
  }),
  refused: scene({
    overall: { state: "needs_you" },
    headline: heading(REFUSED),
    hub: { ...snapshot().hub, link: { state: "refused", why: "the server at the Hub's address does not speak Porten's protocol (HTTP 404)", remedy: REFUSED.remedy, fix: REFUSED.fix }, rtt_ms: null },
    ...QUIET,
    notices: [REFUSED],
  }),
  "first-start": {
    snapshot: {
      ...SIGNED_OUT,
      cluster: null,
      engine: DOWN,
      memory: THIS_MAC,
      notices: [...SIGNED_OUT.notices, NO_ENGINE],
    },
    sign_in: { state: "idle" },
    trouble: null,
    quitting: false,
  },
  "signed-out": { snapshot: SIGNED_OUT, sign_in: { state: "idle" }, trouble: null, quitting: false },
  "signing-in": { snapshot: SIGNED_OUT, sign_in: { state: "asking" }, trouble: null, quitting: false },
  "signing-in-window": { snapshot: SIGNED_OUT, sign_in: { state: "window", code: CODE, slower: null }, trouble: null, quitting: false },
  "signing-in-slower": {
    snapshot: SIGNED_OUT,
    sign_in: { state: "window", code: CODE, slower: "The Hub asked to wait longer, so your answer is noticed within 10 s." },
    trouble: null,
    quitting: false,
  },
  "signing-in-browser": {
    snapshot: SIGNED_OUT,
    sign_in: { state: "browser", code: CODE, url: `https://hub.example.net/device?user_code=${CODE}`, elsewhere: "accounts.example.com", slower: null },
    trouble: null,
    quitting: false,
  },
  "signing-in-failed": {
    snapshot: SIGNED_OUT,
    sign_in: { state: "failed", text: "the code ran out before the sign-in was confirmed; try again" },
    trouble: null,
    quitting: false,
  },
  "signing-in-denied": { snapshot: SIGNED_OUT, sign_in: { state: "failed", text: "the sign-in was refused on the Hub's page; if that was a mistake, sign in again" }, trouble: null, quitting: false },
  "signed-out-by-hub": {
    snapshot: {
      ...SIGNED_OUT,
      hub: { ...SIGNED_OUT.hub, link: { state: "signed_out", why: "the Hub no longer knows this Mac" } },
      cluster: null,
      memory: { ...SIGNED_OUT.memory, raw_mib: null, usable_mib: null, schedulable_mib: null, advertised_mib: 0, origin: "unknown" },
    },
    sign_in: { state: "idle" },
    trouble: null,
    quitting: false,
  },
  "no-engine": scene({
    overall: { state: "needs_you" },
    headline: heading(NO_ENGINE),
    traffic: { ...snapshot().traffic, in_flight: 0 },
    cluster: null,
    engine: DOWN,
    // What the system says of this Mac alone.
    memory: THIS_MAC,
    models: [
      model("deepseek-v4-flash", { state: "withdrawn" }),
      model("qwen3-coder-next", { state: "withdrawn" }),
      model("minimax-m2.7", { state: "off" }, { size_mib: null }),
    ],
    notices: [NO_ENGINE],
  }),
  declined: scene(),
  trouble: { snapshot: null, sign_in: { state: "idle" }, trouble: "PORTEN_HUB_URL=htp://hub is no Hub's address; use wss://…", quitting: false },
  starting: { snapshot: null, sign_in: { state: "idle" }, trouble: null, quitting: false },
  "six-macs": scene({
    host: { ...snapshot().host, name: "studio-rack-a-top" },
    cluster: {
      freshness: { state: "fresh" },
      absent: [],
      members: ["studio-rack-a-top", "studio-rack-a-bottom", "studio-rack-b", "mini-by-the-window", "mini-2", "Margareta’s MacBook Pro in the north studio"].map((name, n) =>
        mac(name, SIZES[n] ?? 128, {
          this_mac: n === 0,
          link: n === 0 ? null : (["rdma", "rdma", "rdma", "thunderbolt_ip", "ethernet", "wi_fi"] as const)[n] ?? "other",
          state: n === 4 ? { state: "joining" } : { state: "online" },
          installed_mib: n === 4 ? null : (SIZES[n] ?? 128) * 1024,
          gpu_percent: BUSY[n] ?? null,
        }),
      ),
    },
    models: FORTY.map((id, n) =>
      n === 16 ? model(id, { state: "serving", requests: 2 }, { parts: on("a", "b", "c", "d"), tokens_per_s: 21.4 }) : model(id, n === 0 || n === 12 ? { state: "ready", proven: ago(30) } : { state: "off" }),
    ),
  }),
  "long-names": scene({
    host: { ...snapshot().host, name: "the-mac-studio-under-the-desk-in-the-corner-office" },
    cluster: {
      freshness: { state: "fresh" },
      absent: [],
      members: [
        mac("the-mac-studio-under-the-desk-in-the-corner-office", 512, { this_mac: true, link: null }),
        mac("מק של דנה", 128, { free_mib: 8 * 1024, models_mib: 40 * 1024 }),
        mac("استوديو-٢", 128, { link: "ethernet" }),
      ],
    },
    models: [
      model(`a-${"very-".repeat(38)}long-id`, { state: "serving", requests: 1 }),
      model("نموذج-كبير", { state: "off" }),
      model("o".repeat(200), { state: "off" }),
      model("x".repeat(200), { state: "failed", why: "exo finds no place for it: it needs 812 GB more than the Macs have together, and a good deal of patience" }),
    ],
  }),
  "openai-engine": scene({
    overall: { state: "ready", models: 1, wanted: 1 },
    traffic: { ...snapshot().traffic, in_flight: 0 },
    cluster: null,
    engine: { url: "http://localhost:8080", origin: { from: "environment", name: "PORTEN_ENGINE_URL" }, kind: "openai", reach: { state: "up", since: ago(600) } },
    memory: { set_by: { from: "environment", name: "PORTEN_VRAM_BUDGET_MB" }, raw_mib: 131_072, usable_mib: 98_304, schedulable_mib: 98_304, missing_mib: 0, advertised_mib: 114_688, origin: "set" },
    models: [model("tiny", { state: "ready", proven: ago(4) }, { parts: [], size_mib: null, placed: null })],
  }),
};

export { NOW };
