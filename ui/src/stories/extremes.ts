// What is rare, and must not break the page: every state at once, the largest numbers, the strangest names.
import type { Code } from "../bindings/Code";
import type { ModelState } from "../bindings/ModelState";
import type { Scene } from "../bindings/Scene";
import type { WhyView } from "../bindings/WhyView";
import { ago, hour, mac, model, notice, on, scene, snapshot } from "./make";

/** One of each that is worth showing. */
const CODES: Code[] = [
  "hub_refused",
  "engine_down",
  "model_unmatched",
  "model_broken",
  "load_stalled",
  "model_unfit",
  "disk_short",
  "model_unplaced",
  "nothing_to_serve",
  "hub_unreachable",
  "cluster_stale",
  "cluster_replaying",
  "member_lost",
  "ghost",
  "slow_link",
  "rdma_off",
  "bridge_loop",
  "builds_differ",
  "memory_pressure",
  "limit_forgotten",
  "model_unproven",
  "not_offered",
  "icon_hidden",
];
/** So many of them need a person. */
const URGENT = 9;
const LONG = "the-mac-studio-under-the-desk-in-the-corner-office needs 812 GB more on its disk, and 17 GB is free there";

const STATES: ModelState[] = [
  { state: "serving", requests: 8 },
  { state: "ready", proven: ago(9) },
  { state: "cold", since: ago(4000) },
  { state: "placing" },
  { state: "downloading", percent: 7, mib_per_s: null },
  { state: "loading", layers: 43, of: 43 },
  { state: "warming" },
  { state: "loaded" },
  { state: "proving" },
  { state: "waiting", why: "its turn" },
  { state: "finishing", requests: 12 },
  { state: "stalled", why: "no first token for 300 s on studio-2" },
  { state: "unmatched", why: "the engine lists no model that could be it" },
  { state: "broken", why: "studio-2, which holds a part of it, stopped responding" },
  { state: "unfit", why: "studio-1 would need 610 GB and its GPU can use 206 GB: 404 GB too much" },
  { state: "failed", why: "exo finds no place for it" },
  { state: "withdrawn" },
  { state: "off_elsewhere" },
  { state: "off" },
];
const WHYS: WhyView[] = [
  { reason: "idle", asked: null, since: null, nodes: null },
  { reason: "at_cap" },
  { reason: "not_offered", nearest: null },
  { reason: "needs_memory", needs_mib: null, has_mib: 0 },
  { reason: "no_route" },
  { reason: "draining" },
  { reason: "stale_proof" },
  { reason: "resting", failures: 1, until: null },
  { reason: "unknown" },
];

export const extremes: Record<string, Scene> = {
  "every-notice": scene({
    overall: { state: "needs_you" },
    notices: CODES.map((code, n) => notice(code, n < URGENT ? "needs_you" : "degraded", `${code.replaceAll("_", " ")} on Margareta’s MacBook Pro in the north studio`, `${LONG}.`, "Free the disk, or delete models there", { action: "free_disk", mac: "mbp" }, `subject-${n}`)),
  }),
  "every-state": scene({
    cluster: {
      freshness: { state: "replaying" },
      absent: [{ id: "gone", name: "studio-3", since: ago(400_000), installed_mib: 131_072 }],
      members: [
        mac("studio-1", 256, { this_mac: true, link: null }),
        mac("studio-2", 256, { state: { state: "late", since: ago(4000) }, free_mib: null, gpu_percent: null }),
        mac("mini", 64, { state: { state: "joining" }, installed_mib: null, free_mib: null }),
        mac("mbp", 128, { state: { state: "ghost", since: ago(60) } }),
        mac("elsewhere", 128, { link: "other", gpu_percent: 100 }),
      ],
    },
    memory: { ...snapshot().memory, set_by: { from: "environment", name: "PORTEN_VRAM_BUDGET_MB" }, missing_mib: 262_144, origin: "set" },
    models: STATES.map((state) => model(state.state.replaceAll("_", "-"), state)),
  }),
  "every-reason": scene({
    overall: { state: "ready", models: 0, wanted: WHYS.length },
    traffic: { ...snapshot().traffic, in_flight: 0 },
    models: WHYS.map((why) => model(`asks-${why.reason}`, { state: "ready", proven: ago(9) }, { standing: "unknown", why })),
  }),
  speeds: scene({
    overall: { state: "serving", requests: 128 },
    host: { ...snapshot().host, name: "🦊 Mac 🍎 of Zoë" },
    hub: { ...snapshot().hub, rtt_ms: 12_345, endpoint: `https://${"hub-".repeat(20)}example.net/v1`, url: `wss://${"hub-".repeat(20)}example.net` },
    cluster: {
      freshness: { state: "fresh" },
      absent: [],
      members: [
        mac("🦊 Mac 🍎 of Zoë", 512, { this_mac: true, link: null, gpu_percent: 0, models_mib: 0, free_mib: 512 * 1024 }),
        mac("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 512, { gpu_percent: 100, models_mib: 512 * 1024, free_mib: 0 }),
        mac("ﷺﷺﷺ Zalgo Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘", 64),
      ],
    },
    models: [
      model("stands-still", { state: "serving", requests: 1 }, { tokens_per_s: 0 }),
      model("runs", { state: "serving", requests: 127 }, { tokens_per_s: 10_000, parts: on("🦊 Mac 🍎 of Zoë") }),
      model("🚀-rocket-🚀", { state: "ready", proven: ago(3) }, { size_mib: 0 }),
      model("huge", { state: "off" }, { size_mib: 9_999_999_999 }),
    ],
    activity: { tokens_a_minute: hour(10_000) },
  }),
};
