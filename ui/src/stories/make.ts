// A cluster in good health, to be changed by each story.
import type { MemberView } from "../bindings/MemberView";
import type { ModelState } from "../bindings/ModelState";
import type { ModelView } from "../bindings/ModelView";
import type { Notice } from "../bindings/Notice";
import type { PartView } from "../bindings/PartView";
import type { Rung } from "../bindings/Rung";
import type { Scene } from "../bindings/Scene";
import type { Snapshot } from "../bindings/Snapshot";
import type { Step } from "../bindings/Step";

/** The moment of all stories: pictures are the same every time. */
export const NOW = Date.UTC(2026, 10, 25, 14, 4, 0);
export const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();

export function mac(name: string, gb: number, more: Partial<MemberView> = {}): MemberView {
  return {
    id: name,
    name,
    this_mac: false,
    state: { state: "online" },
    model: "Mac Studio",
    chip: "Apple M3 Ultra",
    macos: "26.2",
    macos_build: "25C56",
    installed_mib: gb * 1024,
    free_mib: gb * 640,
    swapped_mib: 0,
    usable_mib: gb * 768,
    usable_origin: "assumed",
    models_mib: gb * 310,
    disk_mib: 3_800_000,
    disk_free_mib: 1_800_000,
    gpu_percent: 40,
    cpu_percent: 12,
    gpu_celsius: 51,
    watts: 90,
    rdma: true,
    thunderbolt_gbit_per_s: 80,
    link: "rdma",
    links: [],
    ...more,
  };
}

/** A loaded part on each of these Macs. */
export const on = (...macs: string[]): PartView[] =>
  macs.map((name) => ({ on: name, weights_mib: Math.round(160_000 / macs.length), layers: null, state: { state: "ready" } }));

export function model(id: string, state: ModelState, more: Partial<ModelView> = {}): ModelView {
  const wanted = state.state !== "off" && state.state !== "off_elsewhere";
  return {
    id,
    engine_id: `mlx-community/${id}`,
    wanted,
    state,
    size_mib: 160_000,
    placed: wanted ? "here" : null,
    sharding: wanted ? "tensor" : null,
    link: wanted ? "rdma" : null,
    parts: wanted ? on("studio-1", "studio-2") : [],
    routes: ["/v1/chat/completions"],
    standing: state.state === "ready" || state.state === "serving" ? "eligible" : null,
    why: null,
    tokens_per_s: state.state === "serving" ? 24.8 : null,
    ...more,
  };
}

export function notice(code: Notice["code"], severity: Notice["severity"], title: string, text: string, remedy: string): Notice {
  return { code, subject: "", severity, title, text, remedy, since: ago(120) };
}

/** Tokens a minute of an hour with a quiet quarter in it, `now` tokens a second at its end. */
export const hour = (now: number) =>
  Array.from({ length: 60 }, (_, n) => {
    const quiet = n > 19 && n < 34 ? Math.abs(n - 30) / 16 : 1;
    const share = (0.35 + (0.6 * n) / 60) * quiet + 0.03 * (Math.sin(n * 1.7) + Math.sin(n * n)) * quiet;
    return Math.round(60 * now * (n === 59 ? 1 : Math.min(1.08, Math.max(0, share + 0.05 * quiet))));
  });

const STEPS: [Step, string][] = [
  ["signed_in", "as anna"],
  ["hub_connected", "hub.example.net"],
  ["engine_answers", "exo at localhost:52415"],
  ["cluster_complete", "3 Macs"],
  ["model_loaded", "2 of 2"],
  ["model_proven", "2 of 2"],
  ["offered", "2 of 2"],
  ["serving", "2 requests"],
];

/** The steps up to the one that is not reached, which says why; those after it are not known. */
export function ladder(open?: Rung): Rung[] {
  const at = STEPS.findIndex(([step]) => step === open?.step);
  return STEPS.map(([step, reason], n) => {
    if (open && n === at) return open;
    return open && n > at ? { step, state: "unknown", reason: "", remedy: null } : { step, state: "reached", reason, remedy: null };
  });
}

export function snapshot(more: Partial<Snapshot> = {}): Snapshot {
  const members = more.cluster?.members ?? [
    mac("studio-1", 256, { this_mac: true, link: null, gpu_percent: 71 }),
    mac("studio-2", 256, { gpu_percent: 69 }),
    mac("mbp", 128, { chip: "Apple M5 Max", gpu_percent: 54 }),
  ];
  const raw = members.reduce((sum, one) => sum + (one.installed_mib ?? 0), 0);
  return {
    seq: 1,
    overall: { state: "serving", requests: 2 },
    host: { kind: "app", pid: 1, version: "0.1.0", name: "studio-1", node: "n", since: ago(3600) },
    account: { name: "anna", kept_in: "the Keychain", since: null },
    hub: {
      url: "wss://hub.example.net",
      endpoint: "https://hub.example.net/v1",
      origin: { from: "environment", name: "PORTEN_HUB_URL" },
      link: { state: "online", since: ago(17_520) },
      proxy: null,
      rtt_ms: 34,
      said: ago(8),
      drains: null,
    },
    engine: { url: "http://localhost:52415", origin: { from: "found" }, kind: "exo", reach: { state: "up", since: ago(17_600) } },
    cluster: { freshness: { state: "fresh" }, members, absent: [] },
    memory: {
      set_by: { from: "default" },
      raw_mib: raw,
      usable_mib: raw * 0.75,
      schedulable_mib: raw * 0.75,
      missing_mib: 0,
      advertised_mib: raw * 0.75,
      origin: "assumed",
    },
    models: [
      model("deepseek-v4-flash", { state: "serving", requests: 2 }),
      model("qwen3-coder-next", { state: "ready", proven: ago(8) }, { parts: on("mbp"), tokens_per_s: 61 }),
      model("minimax-m2.7", { state: "off" }),
    ],
    traffic: { in_flight: 2, completed: 812, failed: 1, cancelled: 9, refused: 0, tokens: 120_400 },
    activity: { tokens_a_minute: hour(86) },
    pause: null,
    awake: { state: "held" },
    ladder: ladder(),
    notices: [],
    ...more,
  };
}

export const scene = (more: Partial<Snapshot> = {}, rest: Partial<Scene> = {}): Scene => ({
  snapshot: snapshot(more),
  sign_in: { state: "idle" },
  trouble: null,
  quitting: false,
  ...rest,
});
