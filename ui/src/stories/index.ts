// Every moment of the popover that is worth a picture.
import type { Notice } from "../bindings/Notice";
import type { Scene } from "../bindings/Scene";
import type { Snapshot } from "../bindings/Snapshot";
import { extremes } from "./extremes";
import { ago, hour, ladder, mac, model, NOW, notice, on, scene, snapshot } from "./make";

const SIGNED_OUT = snapshot({
  overall: { state: "needs_you" },
  account: null,
  hub: { ...snapshot().hub, link: { state: "signed_out", why: null }, rtt_ms: null },
  notices: [notice("sign_in", "needs_you", "Sign in", "Nobody is signed in to the Hub on this machine.", "Sign in: porten login")],
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
  "The engine does not answer",
  NO_ANSWER,
  "Porten notices by itself when one answers",
);
const LOST: Notice = {
  ...notice(
    "member_lost",
    "degraded",
    "studio-2 has stopped answering",
    "studio-2 is not heard of; without it deepseek-v4-flash cannot answer. It fits on the Macs that are left, and is loaded there once exo has let go of it.",
    "See that it is awake, and that exo runs there",
  ),
  subject: "studio-2",
};
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
      model("deepseek-v4-flash", { state: "broken", why: "studio-2, which holds a part of it, is not heard of" }),
      model("qwen3-coder-next", { state: "ready", proven: ago(20) }, { parts: on("mbp") }),
      model("minimax-m2.7", { state: "off" }),
    ],
    notices: [LOST],
  }),
  "mac-left": scene({
    overall: { state: "ready", models: 1, wanted: 1 },
    memory: { ...THIS_MAC, raw_mib: 262_144, usable_mib: 196_608, schedulable_mib: 196_608, missing_mib: 131_072, advertised_mib: 196_608 },
    cluster: {
      freshness: { state: "fresh" },
      absent: [{ id: "b", name: "studio-2", since: ago(700) }, { id: "c", name: "old-mini", since: null }],
      members: [
        mac("studio-1", 256, { this_mac: true, link: null, gpu_percent: 2 }),
        mac("mini", 64, { link: "ethernet", gpu_percent: 3 }),
        mac("mbp", 128, { chip: "Apple M5 Max", link: "thunderbolt_ip" }),
      ],
    },
    models: [model("qwen3-coder-next", { state: "ready", proven: ago(20) }, { parts: on("mbp") })],
  }),
  "mac-lost": scene({
    overall: { state: "connecting" },
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
      model("deepseek-v4-flash", { state: "broken", why: "studio-2, which holds a part of it, is not heard of" }),
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
        "Check the cables, then turn the model off and on, so that it is placed anew",
      ),
      notice("limit_assumed", "note", "Memory is assumed", "It is good to know, and not shown here.", "Nothing to do"),
    ],
  }),
  "two-notices": scene({
    overall: { state: "needs_you" },
    models: [
      model("deepseek-v4-flash", { state: "ready", proven: ago(20) }),
      model("glm-5", { state: "ready", proven: ago(60) }, { standing: "not_offered" }),
      model("qwen-3-codre", { state: "unmatched", why: "the engine lists no model that could be qwen-3-codre; nearest: qwen3-coder-next" }),
    ],
    notices: [
      notice("model_unmatched", "needs_you", "qwen-3-codre is not matched", "the engine lists no model that could be qwen-3-codre; nearest: qwen3-coder-next", "Set PORTEN_ENGINE_MODELS to hub-id=engine-id"),
      notice("not_offered", "degraded", "No requests for glm-5", "glm-5 is not in the Hub's catalog.", "Use an id that the Hub offers in PORTEN_ENGINE_MODELS; the nearest one is glm-5.1"),
    ],
  }),
  "nothing-answers": scene({
    overall: { state: "needs_you" },
    hub: { ...snapshot().hub, link: { state: "waiting", until: ago(-12), why: "no network" }, rtt_ms: null },
    cluster: null,
    engine: DOWN,
    memory: THIS_MAC,
    models: [model("deepseek-v4-flash", { state: "withdrawn" }), model("minimax-m2.7", { state: "off" }, { size_mib: null })],
    notices: [
      NO_ENGINE,
      notice("hub_unreachable", "degraded", "No connection to the Hub", "no network", "Porten keeps trying; check the network and wss://hub.example.net"),
    ],
  }),
  stale: scene({
    overall: { state: "ready", models: 2, wanted: 2 },
    cluster: { freshness: { state: "stale", since: ago(95) }, absent: [], members: snapshot().cluster?.members ?? [] },
    models: [
      model("deepseek-v4-flash", { state: "ready", proven: ago(20) }),
      model("qwen3-coder-next", { state: "ready", proven: ago(20) }, { parts: on("mbp") }),
    ],
    notices: [notice("cluster_stale", "degraded", "exo stands still", "what exo tells of its Macs has stopped moving: it has lost its leader, or hangs", "Quit exo on each Mac and start it again")],
  }),
  "catching-up": scene({
    overall: { state: "connecting" },
    cluster: { freshness: { state: "replaying" }, absent: [], members: snapshot().cluster?.members ?? [] },
    ladder: ladder({ step: "cluster_complete", state: "pending", reason: "exo catches up", remedy: null }),
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: [
      model("deepseek-v4-flash", { state: "waiting", why: "its turn" }),
      model("qwen3-coder-next", { state: "waiting", why: "its turn" }, { parts: on("mbp") }),
      model("minimax-m2.7", { state: "off" }),
    ],
    notices: [
      notice("cluster_replaying", "degraded", "exo catches up", "exo goes through the history of its cluster; until it is through, nothing that it says is believed", "Wait: long histories take minutes"),
      notice("builds_differ", "degraded", "macOS differs", "The Macs do not run the same macOS: studio-1 has 26.2 (25C56), mbp has 26.1 (25B78).", "Update them all to the same version: RDMA between them wants it"),
    ],
  }),
  loading: scene({
    overall: { state: "connecting" },
    ladder: ladder({ step: "model_loaded", state: "pending", reason: "deepseek-v4-flash is loading", remedy: null }),
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
    ladder: ladder({ step: "model_loaded", state: "failed", reason: "deepseek-v4-flash does not come on", remedy: "turn it off and on" }),
    models: [
      model("deepseek-v4-flash", { state: "stalled", why: "no byte for 90 s on mbp" }, {
        parts: [
          { on: "studio-1", weights_mib: 80_000, layers: 22, state: { state: "ready" } },
          { on: "mbp", weights_mib: 80_000, layers: 21, state: { state: "downloading", done_mib: 16_400, total_mib: 80_000, mib_per_s: null, left_s: null } },
        ],
      }),
      model("minimax-m2.7", { state: "off" }),
    ],
    notices: [notice("load_stalled", "needs_you", "deepseek-v4-flash does not come on", "deepseek-v4-flash is not loaded any further: no byte for 90 s on mbp.", "Quit exo on that Mac and start it again, or turn the model off and on")],
  }),
  steps: scene({
    overall: { state: "connecting" },
    ladder: ladder({ step: "model_proven", state: "failed", reason: "deepseek-v4-flash gave no token", remedy: "load it again in exo" }),
    models: [model("deepseek-v4-flash", { state: "proving" }), model("minimax-m2.7", { state: "off" })],
  }),
  paused: scene({
    activity: STILL,
    overall: { state: "paused", until: ago(-14_160) },
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
    hub: { ...snapshot().hub, link: { state: "refused", why: "no Hub answers there", remedy: "Check PORTEN_HUB_URL" }, rtt_ms: null },
    ...QUIET,
    notices: [notice("hub_refused", "needs_you", "The Hub refuses", "what answers at hub.example.net is no Hub", "check PORTEN_HUB_URL")],
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
