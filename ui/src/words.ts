// Every word that says a state. Total over what the agent can say: a new state does not compile until it has a word.
import type { AbsentView } from "./bindings/AbsentView";
import type { Command } from "./bindings/Command";
import type { Freshness } from "./bindings/Freshness";
import type { LinkKind } from "./bindings/LinkKind";
import type { Headline } from "./bindings/Headline";
import type { HubView } from "./bindings/HubView";
import type { MemberView } from "./bindings/MemberView";
import type { MemoryView } from "./bindings/MemoryView";
import type { ModelState } from "./bindings/ModelState";
import type { ModelView } from "./bindings/ModelView";
import type { Origin } from "./bindings/Origin";
import type { Notice } from "./bindings/Notice";
import type { Overall } from "./bindings/Overall";
import type { PartView } from "./bindings/PartView";
import type { Remedy } from "./bindings/Remedy";
import type { RungState } from "./bindings/RungState";
import type { Scene } from "./bindings/Scene";
import type { Snapshot } from "./bindings/Snapshot";
import type { Standing } from "./bindings/Standing";
import type { Step } from "./bindings/Step";
import type { WhyView } from "./bindings/WhyView";
import { howLong } from "./rest";

/** The five shapes of a state. */
export type Shape = "online" | "connecting" | "degraded" | "down" | "off";

/** A shape, the word for it, and what is said beside the word. */
export interface Said {
  shape: Shape;
  word: string;
  beside?: string;
}

/** What macOS calls GB of memory, in groups of three digits. */
export const gb = (mib: number) => Math.round(mib / 1024).toLocaleString("en-US");

const join = (...parts: (string | null | undefined)[]) => parts.filter(Boolean).join(" · ");

export const count = (n: number, what: string) => (n === 1 ? `1 ${what}` : `${n} ${what}s`);

/** When something happened: by the clock today, else by the day. */
export function clock(at: string, now: number): string {
  const [then, today] = [new Date(at), new Date(now)];
  if (then.toDateString() === today.toDateString()) {
    return then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  }
  const week = now - then.getTime() < 6 * 86_400_000;
  return then.toLocaleDateString("en-GB", week ? { weekday: "long" } : { day: "numeric", month: "short" });
}

/** How old a reading is. */
export function age(since: string, now: number): string {
  const s = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 172_800) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86_400)} days`;
}

const until = (at: string, now: number) => Math.max(1, Math.ceil((Date.parse(at) - now) / 1000));

/** Whether something is to be known or done while all goes on. */
export const isDegraded = ({ notices }: Snapshot) => notices.some((notice) => notice.severity !== "note");

/** The header's word: what blocks or is awaited, else the state's own. Its shape is what the icon in the menu bar says too. */
export function overall(it: Overall, headline: Headline | null, degraded: boolean, now: number): Said {
  const said = state(it, degraded, now);
  return headline ? { ...said, word: printed(headline.text) } : said;
}

function state(it: Overall, degraded: boolean, now: number): Said {
  const well: Shape = degraded ? "degraded" : "online";
  const soon: Shape = degraded ? "degraded" : "connecting";
  switch (it.state) {
    case "off":
      return { shape: "off", word: "Off" };
    case "connecting":
      return { shape: soon, word: "Connecting…" };
    case "pending":
      return { shape: soon, word: "Getting ready" };
    case "blocked":
      return { shape: "degraded", word: "Not serving" };
    case "models_off":
      return { shape: "off", word: "Every model is off" };
    case "serving":
      return { shape: well, word: "Serving" };
    case "ready":
      return { shape: well, word: it.models < it.wanted ? `Ready · ${it.models} of ${count(it.wanted, "model")}` : "Ready" };
    case "waiting":
      return { shape: soon, word: `Trying again in ${until(it.until, now)} s` };
    case "finishing":
      return { shape: soon, word: it.requests === 0 ? "Finishing" : `Finishing ${count(it.requests, "request")}` };
    case "paused":
      return { shape: "off", word: "Paused" };
    case "needs_you":
      return { shape: "down", word: "Action needed" };
  }
}

/** The one reason under the header's word. */
export function reason(snapshot: Snapshot, now: number): string {
  const name = snapshot.host.name;
  const { overall, headline, hub, models } = snapshot;
  switch (overall.state) {
    case "serving":
      return `${name} · ${count(overall.requests, "request")} running`;
    case "ready": {
      const since = hub.link.state === "online" ? ` since ${clock(hub.link.since, now)}` : "";
      const offered = models.filter((one) => one.standing === "eligible").length;
      return offered === 0 ? macs(snapshot) : `${name} · ${count(offered, "model")}${since}`;
    }
    case "waiting":
      return `${name} · ${hub.link.state === "waiting" ? hub.link.why : "the Hub did not answer"}`;
    case "connecting":
      return name;
    case "pending":
    case "blocked":
    case "needs_you": {
      // A notice says what to do, and so does the screen that asks to sign in.
      const next = headline?.fix?.action === "sign_in" ? null : headline?.remedy;
      return next && !shown(snapshot).some((notice) => notice.remedy === next) ? printed(next) : macs(snapshot);
    }
    case "models_off":
      return step(headline) ? name : `${name} · ${printed(headline?.remedy ?? "").toLowerCase()}`;
    case "paused":
      return `${name} · ${howLong(overall.until, now)}`;
    case "off":
    case "finishing":
      return macs(snapshot);
  }
}

/** The reason while the app ends. */
export const leaving = ({ host }: Snapshot) => `${host.name} · Porten will quit when they finish`;

/** `studio-1 and 2 more Macs`. */
function macs({ host, cluster }: Snapshot): string {
  const others = (cluster?.members.length ?? 1) - 1;
  return others > 0 ? `${host.name} and ${count(others, "more Mac")}` : host.name;
}

/** The Hub's row. */
export function hub({ link, rtt_ms: rtt, drains }: Pick<HubView, "link" | "rtt_ms" | "drains">): Said {
  if (link.state === "online" && drains !== null) return { shape: "connecting", word: "Asked to finish" };
  switch (link.state) {
    case "off":
      return { shape: "off", word: "Off" };
    case "signed_out":
      return { shape: "off", word: "Signed out" };
    case "connecting":
      return { shape: "connecting", word: "Connecting…" };
    case "online":
      return { shape: "online", word: rtt === null ? "Online" : `Online · ${rtt < 1000 ? `${rtt} ms` : `${(rtt / 1000).toFixed(1)} s`}` };
    case "waiting":
      return { shape: "connecting", word: "No answer" };
    case "refused":
      return { shape: "down", word: "Refused" };
  }
}

/** The engine's row. */
export function engine(snapshot: Snapshot, now: number): Said {
  const { reach } = snapshot.engine;
  switch (reach.state) {
    case "unknown":
      return { shape: "connecting", word: "Looking…" };
    case "down":
      return { shape: "down", word: `No answer since ${clock(reach.since, now)}` };
    case "up":
      return moving(snapshot.cluster?.freshness ?? { state: "fresh" }, now);
  }
}

/** Whether what exo tells is true now. */
function moving(it: Freshness, now: number): Said {
  switch (it.state) {
    case "fresh":
      return { shape: "online", word: "Answering" };
    case "replaying":
      return { shape: "connecting", word: "Replaying" };
    case "stale":
      return { shape: "degraded", word: `Not updating since ${clock(it.since, now)}` };
  }
}

export const engineName = (snapshot: Snapshot) =>
  snapshot.cluster || snapshot.engine.kind === "exo" || /:52415\/?$/.test(snapshot.engine.url ?? "") ? "exo" : "Engine";

/** An address without what goes without saying. */
export const host = (url: string) => url.replace(/^(https?|wss?):\/\//, "").replace(/\/$/, "");

export const links: Record<LinkKind, string> = {
  rdma: "RDMA",
  thunderbolt_ip: "TB-IP",
  ethernet: "Ethernet",
  wi_fi: "Wi-Fi",
  other: "VPN",
};

/** How much of the room for models other use takes on a Mac (MiB); 0 where the Mac does not tell. */
export function taken({ free_mib, usable_mib, installed_mib, models_mib }: MemberView): number {
  if (free_mib === null || usable_mib === null || installed_mib === null) return 0;
  const other = Math.max(0, installed_mib - free_mib - models_mib);
  return Math.max(0, other - (installed_mib - usable_mib));
}

const FAST = new Set<LinkKind | null>(["rdma", "thunderbolt_ip"]);

/** Whether a Mac talks over a slower kind of link than another one of the cluster. */
export const isSlow = (mac: MemberView, members: MemberView[]) =>
  mac.link !== null && !FAST.has(mac.link) && members.some((other) => FAST.has(other.link));

/** A Mac's row: what it is, how it is linked, and how busy it is or why that is not known. Of Macs that exo tells nothing new of (`stale`) only what they are is known; exo's row says why. */
export function member(mac: MemberView, terse: boolean, now: number, stale = false): Said & { link: string; gpu: string; end: string } {
  const link = mac.this_mac ? "this Mac" : mac.link ? links[mac.link] : "";
  const size = mac.installed_mib === null ? null : `${gb(mac.installed_mib)} GB`;
  const beside = join(terse ? null : mac.chip?.replace(/^Apple /, ""), size);
  if (stale) return { shape: "off", word: "Not known", beside, link, gpu: "", end: "" };
  switch (mac.state.state) {
    case "online": {
      const lacks = taken(mac);
      const gpu = mac.gpu_percent === null ? "" : `${mac.gpu_percent}%`;
      return { shape: "online", word: "Online", beside: lacks >= 1024 ? `other apps use ${gb(lacks)} GB` : beside, link, gpu, end: "" };
    }
    case "joining":
      return { shape: "connecting", word: "Joining", beside, link, gpu: "", end: "Joining" };
    case "late":
      return { shape: "degraded", word: "Late", beside: `seen ${age(mac.state.since, now)} ago`, link, gpu: "", end: "Late" };
    case "ghost":
      return { shape: "off", word: "Old entry", beside: "of the same Mac", link: "", gpu: "", end: "Old entry" };
  }
}

/** A Mac that was here and has left; `null` where only exo remembers its name. */
export const lost = ({ since }: AbsentView, now: number): (Said & { beside: string }) | null =>
  since === null ? null : { shape: "down", word: "Lost", beside: `seen ${age(since, now)} ago` };

/** Why the Hub places nothing on a model that could serve. */
const standings: Record<Standing, string> = {
  eligible: "",
  not_offered: "not offered by the Hub",
  needs_memory: "the Hub asks for more memory",
  no_route: "no route in common with the Hub",
  draining: "gets no new requests",
  hub_drains: "gets no new requests",
  stale_proof: "proven too long ago for the Hub",
  resting: "failed, other nodes are asked first",
  unknown: "the Hub sends nothing here yet",
};

/** How fast something comes; empty where that is not known. */
const rate = (mib: number | null) => (mib === null ? "" : mib >= 1024 ? `${(mib / 1024).toFixed(1)} GB/s` : `${Math.round(mib)} MB/s`);

/** For how long the slowest part will go on; empty where that is not known. */
function left(parts: PartView[]): string {
  const seconds = parts.map(({ state }) => (state.state === "downloading" ? (state.left_s ?? 0) : 0));
  const most = Math.max(0, ...seconds);
  if (most === 0) return "";
  if (most < 60) return "less than a minute left";
  return most < 7200 ? `about ${Math.round(most / 60)} min left` : `about ${Math.round(most / 3600)} h left`;
}

type Draw = { [S in ModelState["state"]]: (state: Extract<ModelState, { state: S }>, model: ModelView) => Said };

/** `24.8`, and from a hundred on as a whole number in groups. */
export const rated = (perSecond: number) => (perSecond < 100 ? perSecond.toFixed(1) : Math.round(perSecond).toLocaleString("en-US"));
const speed = (model: ModelView) => (model.tokens_per_s === null ? null : `${rated(model.tokens_per_s)} tok/s`);
const where = ({ parts }: ModelView) => (parts.length > 1 ? `on ${parts.length} Macs` : parts[0] ? `on ${parts[0].on}` : null);
const size = (model: ModelView) => (model.size_mib === null ? null : `${gb(model.size_mib)} GB`);

const draw: Draw = {
  off: (_, model) => ({ shape: "off", word: "Off", beside: join(size(model)) }),
  off_elsewhere: () => ({ shape: "off", word: "Off elsewhere", beside: "turned off in exo" }),
  withdrawn: () => ({ shape: "off", word: "Not offered" }),
  broken: ({ why }) => ({ shape: "down", word: "Broken", beside: why }),
  unmatched: ({ why }) => ({ shape: "degraded", word: "Not found", beside: why }),
  waiting: ({ why }) => ({ shape: "connecting", word: "Waiting", beside: why }),
  placing: () => ({ shape: "connecting", word: "Loading", beside: "exo was asked" }),
  downloading: ({ percent, mib_per_s }, { parts }) => ({ shape: "connecting", word: `Downloading ${percent}%`, beside: left(parts) || rate(mib_per_s) }),
  loading: ({ layers, of }, { parts }) => ({ shape: "connecting", word: `Loading ${layers}/${of} layers`, beside: left(parts) }),
  warming: () => ({ shape: "connecting", word: "Warming", beside: "first token" }),
  stalled: ({ why }) => ({ shape: "degraded", word: "Stalled", beside: why }),
  loaded: () => ({ shape: "off", word: "Loaded", beside: "not tested" }),
  proving: () => ({ shape: "connecting", word: "Testing" }),
  ready: (_, model) => {
    const refused = model.standing && standings[model.standing];
    return refused
      ? { shape: "degraded", word: "Ready", beside: refused }
      : { shape: "online", word: "Ready", beside: join("loaded, no requests", where(model)) };
  },
  serving: (_, model) => ({ shape: "online", word: "Serving", beside: join(speed(model), where(model)) }),
  finishing: ({ requests }) => ({ shape: "connecting", word: "Finishing", beside: count(requests, "request") }),
  cold: () => ({ shape: "off", word: "Unloaded", beside: "loads on first request" }),
  unfit: ({ why }) => ({ shape: "down", word: "Does not fit", beside: why }),
  failed: ({ why }) => ({ shape: "down", word: "Failed", beside: why }),
};

/** A model's row; what one of these notices says already, it does not. */
export function model(it: ModelView, told: Notice[] = []): Said {
  const say = draw[it.state.state] as (state: ModelState, model: ModelView) => Said;
  const { beside, ...said } = say(it.state, it);
  const elsewhere = told.some((notice) => notice.subject === it.id || (beside && bare(notice.text).includes(bare(beside))) || (it.state.state === "broken" && notice.code === "member_lost"));
  return beside === undefined || (elsewhere && said.shape !== "online") ? said : { ...said, beside };
}

/** For comparing. */
const bare = (text: string) => text.toLowerCase().replace(/\.$/, "");

/** The notices that are shown: the two worst, without what the screen that asks to sign in says. */
export function shown({ notices, hub }: Snapshot, signing = false): Notice[] {
  const asks = signing || hub.link.state === "signed_out";
  return notices.filter((notice) => notice.severity !== "note" && !(notice.code === "sign_in" && asks)).slice(0, 2);
}

/** One line of a load: a Mac, what its part does, how far that has come (0–1), and whether it stands still. */
export interface Phase {
  on: string;
  text: string;
  done: number;
  waits: boolean;
}

const isLoading = ({ state }: ModelState) => state === "downloading" || state === "loading" || state === "warming" || state === "stalled";

/** What the part on each Mac does, while not all of them are there. */
export function phases({ state, parts }: ModelView): Phase[] {
  if (!isLoading(state) || parts.every((part) => part.state.state === "ready")) return [];
  return parts.map((part) => ({ on: part.on, waits: state.state === "stalled" && part.state.state !== "ready", ...phase(part) }));
}

function phase({ state }: PartView): Pick<Phase, "text" | "done"> {
  switch (state.state) {
    case "waiting":
      return { text: "Waiting", done: 0 };
    case "downloading": {
      if (state.total_mib === 0) return { text: join("Downloading", rate(state.mib_per_s)), done: 0 };
      const done = Math.min(1, state.done_mib / state.total_mib);
      return { text: join(`Downloading ${Math.floor(done * 100)}%`, rate(state.mib_per_s)), done };
    }
    case "loading":
      return state.of > 0
        ? { text: `Loading ${state.layers}/${state.of} layers`, done: Math.min(1, state.layers / state.of) }
        : { text: "Loading", done: 0 };
    case "warming":
      return { text: "Warming", done: 1 };
    case "ready":
      return { text: "Loaded", done: 1 };
    case "failed":
      return { text: `Failed: ${state.why}`, done: 0 };
  }
}

/** Whether some model is on its way: the line of the last hour folds away then. */
export const loads = ({ models }: Snapshot) => models.some(({ state }) => isLoading(state) || state.state === "placing");

/** How fast all models together generate just now (tokens a second), as their rows say it; `null` where none of them knows. */
export function pace({ models, traffic }: Snapshot): number | null {
  if (traffic.in_flight === 0) return 0;
  const known = models.flatMap(({ state, tokens_per_s }) => (state.state === "serving" && tokens_per_s !== null ? [tokens_per_s] : []));
  return known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0);
}

/** How far a load has come (0–1); `null` where the phase is not known. */
export function progress({ state }: ModelView): number | null {
  if (state.state === "downloading") return state.percent / 100;
  if (state.state === "loading" && state.of > 0) return Math.min(1, state.layers / state.of);
  return null;
}

/** Who set a value; empty where it holds by itself. */
export function setBy(origin: Origin): string {
  switch (origin.from) {
    case "environment":
      return `Set by ${origin.name}`;
    case "file":
      return "Set by you";
    case "found":
    case "default":
      return "";
  }
}

/** Whether a value cannot be changed here. */
export const isLocked = (origin: Origin) => origin.from === "environment";

/** The pooled memory: the big number, what is said of it, of what it is a part, and what has to be added. */
export function memory({ origin, set_by, raw_mib, schedulable_mib, missing_mib, advertised_mib }: MemoryView, hasMacs = false): Record<"big" | "beside" | "right" | "below", string> {
  const of = raw_mib === null ? "" : `of ${gb(raw_mib)} GB`;
  const whole = missing_mib > 0 ? `${gb(missing_mib)} GB offline` : of && `${of} installed`;
  switch (origin) {
    case "set": {
      const by = `${setBy(set_by) || "Set by you"}.`;
      const less = missing_mib > 0 ? " Less the share of the Macs that are offline." : "";
      const room = schedulable_mib === null ? "" : ` The GPUs can use about ${gb(schedulable_mib)} GB.${less}`;
      return { big: `${gb(advertised_mib)} GB`, beside: "for models", right: whole, below: by + room };
    }
    case "assumed":
      return { big: `${gb(advertised_mib)} GB`, beside: "for models", right: missing_mib > 0 ? whole : of && `${of} (estimated)`, below: "" };
    case "known":
      return { big: `${gb(advertised_mib)} GB`, beside: "for models", right: whole, below: "" };
    case "unknown":
      // Its Macs are there, and will be heard of: a budget would not help.
      return { big: "Not known", beside: "", right: of && `${of} installed`, below: hasMacs ? "exo tells nothing new of its Macs." : "Nothing is told to the Hub. Set a budget in Settings." };
  }
}

/** The same where no engine answers: it alone knows of the other Macs. */
export const unknown = { big: "Not known", below: "Porten asks exo for the other Macs, so it cannot say. To start exo, open its app on each Mac." };

/** What a button does: one thing of the page's own, or a command for the agent. */
export type Does = { does: "sign_in" } | { does: "settings" } | { does: "send"; command: Command };

/** A button. */
export interface Act {
  text: string;
  does: Does;
}

const nudge = (text: string): Act => ({ text, does: { does: "send", command: { command: "nudge" } } });
const AGAIN = nudge("Check again");
const TRY = nudge("Try now");
const settings = (text: string): Act => ({ text, does: { does: "settings" } });
const CHANGE = settings("Change…");
const SIGN_IN: Act = { text: "Sign in…", does: { does: "sign_in" } };

type Acts = { [A in Exclude<Remedy["action"], "turn_on">]: Act } & { turn_on: (remedy: Extract<Remedy, { action: "turn_on" }>) => Act };

/** The button of each remedy. Where a person must act elsewhere it looks again, as soon as that is done. */
export const acts: Acts = {
  sign_in: SIGN_IN,
  ask_to_be_allowed: TRY,
  end_other_agent: TRY,
  check_hub_address: CHANGE,
  network_sign_in: TRY,
  check_date: TRY,
  trust_authority: TRY,
  proxy_password: TRY,
  check_network: TRY,
  go_online: { text: "Go online", does: { does: "send", command: { command: "set_online", online: true } } },
  resume: { text: "Resume", does: { does: "send", command: { command: "pause", pause: null } } },
  start_engine: AGAIN,
  restart_exo: AGAIN,
  await_exo: AGAIN,
  await_replay: AGAIN,
  check_mac: AGAIN,
  check_cables: AGAIN,
  enable_rdma: AGAIN,
  nothing: AGAIN,
  disable_bridges: AGAIN,
  update_macs: AGAIN,
  quit_apps: AGAIN,
  tell_limit: settings("Enter…"),
  free_disk: AGAIN,
  lower_budget: CHANGE,
  correct_budget: CHANGE,
  set_budget: CHANGE,
  add_memory: AGAIN,
  turn_on: ({ model }) => (model === null ? AGAIN : { text: "Turn on", does: { does: "send", command: { command: "set_model", id: model, on: true, how: null, keep: false } } }),
  make_room: AGAIN,
  try_again: TRY,
  load_in_engine: TRY,
  restart_load: AGAIN,
  await_model: AGAIN,
  match_model: CHANGE,
  choose_models: AGAIN,
  ask_hub: AGAIN,
  other_engine: AGAIN,
  prove_again: AGAIN,
  await_hub: AGAIN,
  await_retry: AGAIN,
  plug_in: CHANGE,
  allow_awake: CHANGE,
  show_icon: AGAIN,
};

/** The button of a remedy; of an agent that names none, it looks again. */
export function act(fix: Remedy | null): Act {
  if (!fix) return AGAIN;
  return fix.action === "turn_on" ? acts.turn_on(fix) : acts[fix.action];
}

/** The button beside the header's word: only for what no switch and no row beside it does. */
export function step(headline: Headline | null): Act | null {
  const fix = headline?.fix;
  return fix?.action === "turn_on" && fix.model !== null ? act(fix) : null;
}

/** The sentence of the signed-out screen. */
export function invitation(snapshot: Snapshot): string {
  const n = snapshot.cluster?.members.length ?? 1;
  const who = n > 1 ? `These ${n} Macs have` : "This Mac has";
  const { origin, advertised_mib } = snapshot.memory;
  const ready = origin === "unknown" ? "" : `${who} ${gb(advertised_mib)} GB ready for models. `;
  const them = n > 1 ? "them" : "it";
  return `${ready}Signing in connects ${them} to your Hub as one node. Porten only dials out.`;
}

/** The other Macs that a sign-in connects: `with studio-2 and mbp, as one node`. */
export function connecting({ cluster }: Snapshot): string {
  const names = (cluster?.members ?? []).filter((mac) => !mac.this_mac && mac.state.state !== "ghost").map((mac) => mac.name);
  const [first, second] = names;
  if (first === undefined) return "";
  if (second === undefined) return `with ${first}, as one node`;
  return names.length === 2 ? `with ${first} and ${second}, as one node` : `with ${first} and ${count(names.length - 1, "more Mac")}, as one node`;
}

/** A code letter by letter, for whoever hears it. */
export const spelled = (code: string) => code.split("-").map((half) => [...half].join(" ")).join(", ");

type Because = { [R in WhyView["reason"]]: (why: Extract<WhyView, { reason: R }>, now: number) => string };

const because: Because = {
  idle: ({ asked, since, nodes }, now) => {
    const last = asked ? `Last asked for ${age(asked, now)} ago.` : since ? `Nobody has asked for it since ${clock(since, now)}.` : "Nobody asks for it.";
    return nodes !== null && nodes > 1 ? `${last} ${nodes} nodes could answer.` : last;
  },
  at_cap: () => "As many requests run as this node takes at a time.",
  not_offered: ({ nearest }) => (nearest ? `Not in the Hub’s catalog; the nearest there is ${nearest}.` : "Not in the Hub’s catalog."),
  needs_memory: ({ needs_mib, has_mib }) =>
    needs_mib === null ? "The Hub asks for more memory than is here." : `The Hub asks for ${gb(needs_mib)} GB; ${gb(has_mib)} GB are here.`,
  no_route: () => "Offered only on routes that the engine does not answer.",
  draining: () => "This node takes no new requests.",
  hub_drains: () => "The Hub asked this node to finish.",
  stale_proof: () => "The Hub has not heard for too long that it generates.",
  resting: ({ failures, until: at }, now) => {
    const again = at === null ? "" : ` Tried here again in ${until(at, now)} s.`;
    const failed = failures === 1 ? "The last request failed here" : `${failures} requests in a row failed here`;
    return `${failed}: other nodes are asked first.${again}`;
  },
  unknown: () => "The Hub has a reason that this version does not know.",
};

/** What keeps requests away, for each model that could answer and gets none. */
export function whys(snapshot: Snapshot, now: number): { id: string; text: string }[] {
  return snapshot.models.flatMap(({ id, why }) => {
    if (why === null || why.reason === "idle") return [];
    const say = because[why.reason] as (why: WhyView, now: number) => string;
    return [{ id, text: say(why, now) }];
  });
}

/** Who said so, and when. */
export const saidAgo = ({ hub }: Snapshot, now: number) => (hub.said === null ? "" : `Reported by the Hub ${age(hub.said, now)} ago.`);

/** Whether something keeps requests away. That nobody asks, or another node answered, does not. */
export const asksWhy = (snapshot: Snapshot) => snapshot.hub.link.state === "online" && whys(snapshot, 0).length > 0;

/** Whether something on the page grows older by the second. */
export const counts = ({ snapshot }: Scene) =>
  snapshot?.overall.state === "waiting" || (snapshot?.cluster?.members.some((mac) => mac.state.state === "late") ?? false);

/** Apostrophes as they are printed. */
export const printed = (said: string) => said.replace(/(?<=\p{L})'(?=\p{L})/gu, "’");

/** As the agent says it, which knows what is a name, with a full stop at its end. */
export const stop = (said: string) => (said === "" || /[.!?]$/.test(said) ? printed(said) : `${printed(said)}.`);

/** An error's words: with a capital at their start, unless that is an id, and a full stop at their end. */
export function sentence(said: string): string {
  const text = printed(said);
  const [first = ""] = text.split(" ");
  const isWord = first !== "exo" && /^[\p{Ll},]+$/u.test(first);
  const capital = isWord ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return capital === "" || /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

/** Whether this Mac is wanted online; nobody who is signed out is. */
export const isOnline = ({ hub, online }: Snapshot): boolean => online && hub.link.state !== "signed_out";

/** The steps from signed in to serving. */
export const steps: Record<Step, string> = {
  signed_in: "Signed in",
  hub_connected: "Hub connected",
  engine_answers: "Engine answers",
  cluster_complete: "Cluster complete",
  model_loaded: "Model loaded",
  model_proven: "Model proven",
  offered: "Offered by the Hub",
  serving: "Serving",
};

/** How a step stands. */
export const rungs: Record<RungState, Said> = {
  reached: { shape: "online", word: "Reached" },
  pending: { shape: "connecting", word: "On its way" },
  failed: { shape: "down", word: "Not reached" },
  unknown: { shape: "off", word: "Not known yet" },
};
