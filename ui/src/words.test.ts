import { describe, expect, test } from "vitest";

import type { LinkKind } from "./bindings/LinkKind";
import type { LinkView } from "./bindings/LinkView";
import type { MemberState } from "./bindings/MemberState";
import type { ModelState } from "./bindings/ModelState";
import type { Origin } from "./bindings/Origin";
import type { Overall } from "./bindings/Overall";
import type { PartStateView } from "./bindings/PartStateView";
import type { PartView } from "./bindings/PartView";
import type { ReachView } from "./bindings/ReachView";
import type { Remedy } from "./bindings/Remedy";
import type { RungState } from "./bindings/RungState";
import type { Standing } from "./bindings/Standing";
import type { Step } from "./bindings/Step";
import type { WhyView } from "./bindings/WhyView";
import { ago, mac, model as make, notice, NOW, scene, snapshot } from "./stories/make";
import { forAnHour, untilTomorrow } from "./rest";
import {
  act, acts, age, asksWhy, clock, connecting, counts, engine, gb, hub, invitation, isLocked, isOnline, isSlow, links, lost, member, memory, model,
  overall, pace, phases, progress, rated, reason, rungs, saidAgo, sentence, setBy, step, steps, stop, taken, whys,
} from "./words";

/** One case for each state of a union: a state without one does not compile. */
type Each<U extends { state: string }> = { [S in U["state"]]: [Extract<U, { state: S }>, string, string] };
const cases = <U extends { state: string }>(each: Each<U>) => Object.values(each) as [U, string, string][];

describe("the header", () => {
  const each: Each<Overall> = {
    off: [{ state: "off" }, "off", "Off"],
    connecting: [{ state: "connecting" }, "connecting", "Connecting…"],
    serving: [{ state: "serving", requests: 1 }, "online", "Serving"],
    ready: [{ state: "ready", models: 2, wanted: 2 }, "online", "Ready"],
    waiting: [{ state: "waiting", until: ago(-12) }, "connecting", "Trying again in 12 s"],
    finishing: [{ state: "finishing", requests: 2 }, "connecting", "Finishing 2 requests"],
    paused: [{ state: "paused", until: null }, "off", "Paused"],
    pending: [{ state: "pending" }, "connecting", "Getting ready"],
    blocked: [{ state: "blocked" }, "degraded", "Not serving"],
    models_off: [{ state: "models_off" }, "off", "Every model is off"],
    needs_you: [{ state: "needs_you" }, "down", "Action needed"],
  };
  test.each(cases(each))("says %j with a shape and a word", (state, shape, word) => {
    expect(overall(state, null, false, NOW)).toEqual({ shape, word });
    expect(reason(snapshot({ overall: state }), NOW)).toMatch(/^studio-1/);
  });
  test("counts what is there of what is wanted", () => {
    expect(overall({ state: "ready", models: 1, wanted: 2 }, null, false, NOW).word).toBe("Ready · 1 of 2 models");
    expect(overall({ state: "finishing", requests: 0 }, null, false, NOW).word).toBe("Finishing");
    expect(overall({ state: "finishing", requests: 1 }, null, false, NOW).word).toBe("Finishing 1 request");
  });
  test("is a triangle while something is not as it should be, unless it is off or needs a person", () => {
    const shapes = cases(each).map(([state]) => overall(state, null, true, NOW).shape);
    expect(shapes).toEqual(["off", "degraded", "degraded", "degraded", "degraded", "degraded", "off", "degraded", "degraded", "off", "down"]);
  });
  test("never counts down to nothing", () => {
    expect(overall({ state: "waiting", until: ago(30) }, null, false, NOW).word).toBe("Trying again in 1 s");
  });
  test("names what blocks or is awaited, and below it the next step where no notice has it", () => {
    const headline = { text: "exo isn't responding", remedy: "Quit exo on each Mac and open it again", fix: { action: "restart_exo" } as const };
    expect(overall({ state: "blocked" }, headline, false, NOW)).toEqual({ shape: "degraded", word: "exo isn’t responding" });
    const blocked = snapshot({ overall: { state: "blocked" }, headline });
    expect(reason(blocked, NOW)).toBe(headline.remedy);
    const noticed = notice("cluster_stale", "degraded", headline.text, "It has stopped updating.", headline.remedy, headline.fix);
    expect(reason({ ...blocked, notices: [noticed] }, NOW)).toBe("studio-1 and 2 more Macs");
    expect(reason(snapshot({ overall: { state: "off" } }), NOW)).toBe("studio-1 and 2 more Macs");
  });
  test("has a button only for what no switch beside it does", () => {
    const head = (fix: Remedy) => ({ text: "x", remedy: "y", fix });
    expect(step(head({ action: "turn_on", model: "glm-5" }))?.does).toEqual({ does: "send", command: { command: "set_model", id: "glm-5", on: true, how: null, keep: false } });
    for (const fix of [{ action: "turn_on", model: null }, { action: "go_online" }, { action: "sign_in", again: true }] as const) expect(step(head(fix))).toBeNull();
  });
  test("shows the wish to be online, not whether it came true", () => {
    const { hub } = snapshot();
    const refused = { ...hub, link: { state: "refused", why: "", remedy: "", fix: null } as const };
    expect(isOnline(snapshot({ hub: refused, overall: { state: "needs_you" } }))).toBe(true);
    expect(isOnline(snapshot({ overall: { state: "finishing", requests: 1 }, online: false }))).toBe(false);
    expect(isOnline(snapshot({ hub: { ...hub, link: { state: "signed_out", why: null } } }))).toBe(false);
  });
});

describe("a model", () => {
  const each: Each<ModelState> = {
    off: [{ state: "off" }, "off", "Off · 156 GB"],
    off_elsewhere: [{ state: "off_elsewhere" }, "off", "Off elsewhere · turned off in exo"],
    broken: [{ state: "broken", why: "b stopped responding" }, "down", "Broken · b stopped responding"],
    stalled: [{ state: "stalled", why: "no byte for 90 s on b" }, "degraded", "Stalled · no byte for 90 s on b"],
    cold: [{ state: "cold", since: ago(60) }, "off", "Unloaded · loads on first request"],
    unfit: [{ state: "unfit", why: "9 GB too much" }, "down", "Does not fit · 9 GB too much"],
    withdrawn: [{ state: "withdrawn" }, "off", "Not offered"],
    unmatched: [{ state: "unmatched", why: "two fit" }, "degraded", "Not found · two fit"],
    waiting: [{ state: "waiting", why: "for another" }, "connecting", "Waiting · for another"],
    placing: [{ state: "placing" }, "connecting", "Loading · exo was asked"],
    downloading: [{ state: "downloading", percent: 43, mib_per_s: 1126 }, "connecting", "Downloading 43% · 1.1 GB/s"],
    loading: [{ state: "loading", layers: 12, of: 43 }, "connecting", "Loading 12/43 layers"],
    warming: [{ state: "warming" }, "connecting", "Warming · first token"],
    loaded: [{ state: "loaded" }, "off", "Loaded · not tested"],
    proving: [{ state: "proving" }, "connecting", "Testing"],
    ready: [{ state: "ready", proven: ago(1) }, "online", "Ready · loaded, no requests · on 2 Macs"],
    serving: [{ state: "serving", requests: 1 }, "online", "Serving · 24.8 tok/s · on 2 Macs"],
    finishing: [{ state: "finishing", requests: 2 }, "connecting", "Finishing · 2 requests"],
    failed: [{ state: "failed", why: "no room" }, "down", "Failed · no room"],
  };
  test.each(cases(each))("says %j", (state, shape, said) => {
    const it = model(make("m", state));
    expect([it.shape, it.beside ? `${it.word} · ${it.beside}` : it.word]).toEqual([shape, said]);
  });
  const standings: Record<Standing, string> = {
    eligible: "online",
    not_offered: "degraded",
    needs_memory: "degraded",
    no_route: "degraded",
    draining: "degraded",
    hub_drains: "degraded",
    stale_proof: "degraded",
    resting: "degraded",
    unknown: "degraded",
  };
  test.each(Object.entries(standings))("that is ready while the Hub says %s is %s, and says why", (standing, shape) => {
    const it = model(make("m", { state: "ready", proven: ago(1) }, { standing: standing as Standing }));
    expect(it.shape).toBe(shape);
    expect(it.beside).not.toBe("");
  });
  test("tells its progress only where the phase is known", () => {
    expect(progress(make("m", { state: "loading", layers: 50, of: 43 }))).toBe(1);
    expect(progress(make("m", { state: "loading", layers: 0, of: 0 }))).toBeNull();
    expect(progress(make("m", { state: "downloading", percent: 43, mib_per_s: null }))).toBe(0.43);
    expect(progress(make("m", { state: "warming" }))).toBeNull();
  });
});

describe("a Mac", () => {
  const each: Each<MemberState> = {
    online: [{ state: "online" }, "online", "Online M3 Ultra · 128 GB RDMA 40%"],
    joining: [{ state: "joining" }, "connecting", "Joining M3 Ultra · 128 GB RDMA Joining"],
    late: [{ state: "late", since: ago(130) }, "degraded", "Late seen 2 min ago RDMA Late"],
    ghost: [{ state: "ghost", since: ago(130) }, "off", "Old entry of the same Mac  Old entry"],
  };
  test.each(cases(each))("says %j", (state, shape, said) => {
    const { shape: is, word, beside, link, gpu, end } = member(mac("a", 128, { state }), false, NOW);
    expect([is, [word, beside, link, gpu || end].join(" ")]).toEqual([shape, said]);
  });
  test("that exo tells nothing new of is marked with exo, not by itself", () => {
    expect(member(mac("a", 128, { state: { state: "late", since: ago(95) } }), false, NOW, true)).toMatchObject({ shape: "off", end: "" });
  });
  test("among many is said with its memory alone", () => {
    expect(member(mac("a", 128), true, NOW).beside).toBe("128 GB");
  });
  test("says when other use takes of the room for models", () => {
    const full = mac("a", 128, { models_mib: 40 * 1024, free_mib: 8 * 1024 });
    expect(taken(full)).toBe(48 * 1024);
    expect(member(full, false, NOW).beside).toBe("other apps use 48 GB");
    expect(taken(mac("a", 128, { free_mib: null }))).toBe(0);
    expect(taken(mac("a", 128))).toBe(0);
  });
  test("is linked by a word for each kind of link", () => {
    const each: Record<LinkKind, string> = { rdma: "RDMA", thunderbolt_ip: "TB-IP", ethernet: "Ethernet", wi_fi: "Wi-Fi", other: "VPN" };
    expect(links).toEqual(each);
  });
});

describe("why no requests come", () => {
  const each: { [R in WhyView["reason"]]: [Extract<WhyView, { reason: R }>, string] } = {
    idle: [{ reason: "idle", asked: ago(720), since: ago(9000), nodes: 3 }, "Last asked for 12 min ago. 3 nodes could answer."],
    at_cap: [{ reason: "at_cap" }, "As many requests run as this node takes at a time."],
    not_offered: [{ reason: "not_offered", nearest: "glm-5.1" }, "Not in the Hub’s catalog; the nearest there is glm-5.1."],
    needs_memory: [{ reason: "needs_memory", needs_mib: 614_400, has_mib: 491_520 }, "The Hub asks for 600 GB; 480 GB are here."],
    no_route: [{ reason: "no_route" }, "Offered only on routes that the engine does not answer."],
    draining: [{ reason: "draining" }, "This node takes no new requests."],
    hub_drains: [{ reason: "hub_drains" }, "The Hub asked this node to finish."],
    stale_proof: [{ reason: "stale_proof" }, "The Hub has not heard for too long that it generates."],
    resting: [{ reason: "resting", failures: 3, until: ago(-20) }, "3 requests in a row failed here: other nodes are asked first. Tried here again in 20 s."],
    unknown: [{ reason: "unknown" }, "The Hub has a reason that this version does not know."],
  };
  const idle = (why: WhyView, in_flight: number) =>
    snapshot({ models: [make("m", { state: "ready", proven: ago(1) }, { why })], traffic: { ...snapshot().traffic, in_flight } });
  test.each(Object.values(each) as [WhyView, string][])("is told of %j in one sentence, and who said so", (why, text) => {
    expect(whys(idle(why, 0), NOW)).toEqual(why.reason === "idle" ? [] : [{ id: "m", text }]);
    expect(saidAgo(idle(why, 0), NOW)).toBe("Reported by the Hub 8 s ago.");
  });
  test("is told of one request that failed as of one", () => {
    expect(whys(idle({ reason: "resting", failures: 1, until: null }, 0), NOW)[0]?.text).toBe("The last request failed here: other nodes are asked first.");
  });
  test("is offered only where something keeps requests away", () => {
    expect([asksWhy(idle(each.idle[0], 0)), asksWhy(idle(each.idle[0], 1)), asksWhy(idle(each.resting[0], 1))]).toEqual([false, false, true]);
    expect(asksWhy(snapshot())).toBe(false);
  });
});

describe("the Hub", () => {
  const each: Each<LinkView> = {
    off: [{ state: "off" }, "off", "Off"],
    signed_out: [{ state: "signed_out", why: null }, "off", "Signed out"],
    connecting: [{ state: "connecting" }, "connecting", "Connecting…"],
    online: [{ state: "online", since: ago(5) }, "online", "Online · 34 ms"],
    waiting: [{ state: "waiting", until: ago(-3), why: "x" }, "connecting", "No answer"],
    refused: [{ state: "refused", why: "x", remedy: "y", fix: null }, "down", "Refused"],
  };
  test.each(cases(each))("says %j, and is green only once it has answered", (link, shape, word) => {
    expect(hub({ link, rtt_ms: 34, drains: null })).toEqual({ shape, word });
  });
  test("says that it asked this node to finish, while it is there", () => {
    const drains = "It restarts.";
    expect(hub({ link: { state: "online", since: ago(5) }, rtt_ms: 34, drains })).toEqual({ shape: "connecting", word: "Asked to finish" });
    expect(hub({ link: { state: "off" }, rtt_ms: null, drains }).word).toBe("Off");
  });
});

describe("the engine", () => {
  const each: Each<ReachView> = {
    unknown: [{ state: "unknown" }, "connecting", "Looking…"],
    up: [{ state: "up", since: ago(60) }, "online", "Answering"],
    down: [{ state: "down", why: "x", since: ago(240) }, "down", "No answer since 14:00"],
  };
  test.each(cases(each))("says %j", (reach, shape, word) => {
    expect(engine(snapshot({ engine: { ...snapshot().engine, reach } }), NOW)).toEqual({ shape, word });
  });
  test("that answers but stands still is not green", () => {
    const cluster = { freshness: { state: "stale", since: ago(240) } as const, absent: [], members: [mac("a", 128)] };
    expect(engine(snapshot({ cluster }), NOW)).toEqual({ shape: "degraded", word: "Not updating since 14:00" });
  });
});

describe("the memory", () => {
  const { memory: known } = snapshot();
  test("that is assumed is called so", () => {
    expect(memory(known)).toEqual({ big: "480 GB", beside: "for models", right: "of 640 GB (estimated)", below: "" });
  });
  test("that a person set is as set, and says who set it and what the GPUs can use", () => {
    const set_by = { from: "environment", name: "PORTEN_VRAM_BUDGET_MB" } as const;
    expect(memory({ ...known, origin: "set", advertised_mib: 450_560, set_by })).toEqual({
      big: "440 GB",
      beside: "for models",
      right: "of 640 GB installed",
      below: "Set by PORTEN_VRAM_BUDGET_MB. The GPUs can use about 480 GB.",
    });
  });
  test("that nobody knows is not a number", () => {
    expect(memory({ ...known, origin: "unknown", raw_mib: null, usable_mib: null, advertised_mib: 0 }).big).toBe("Not known");
  });
  test("of Macs that are there but not heard of is not for a budget to mend", () => {
    const unknown = { ...known, origin: "unknown", raw_mib: null, usable_mib: null, advertised_mib: 0 } as const;
    expect(memory(unknown, true).below).not.toContain("budget");
    expect(memory(unknown).below).toContain("budget");
  });
  test("is told in groups of three digits", () => {
    expect(gb(1_327_104)).toBe("1,296");
  });
});

test("the invitation counts the Macs, and says no number that nobody knows", () => {
  expect(invitation(snapshot())).toMatch(/^These 3 Macs have 480 GB ready for models\. Signing in connects them /);
  expect(invitation(snapshot({ cluster: null }))).toMatch(/^This Mac has .* connects it /);
  const { memory } = snapshot();
  expect(invitation(snapshot({ memory: { ...memory, origin: "unknown", usable_mib: null } }))).toMatch(/^Signing in/);
});

test("each remedy is one button: it signs in, opens the settings that it is about, or asks the agent for something", () => {
  const does = (fix: Remedy) => act(fix).does;
  expect(does({ action: "sign_in", again: true })).toEqual({ does: "sign_in" });
  expect(does({ action: "go_online" })).toEqual({ does: "send", command: { command: "set_online", online: true } });
  expect(does({ action: "resume" })).toEqual({ does: "send", command: { command: "pause", pause: null } });
  expect(does({ action: "tell_limit", mac: null, mib: null })).toEqual({ does: "settings" });
  expect(does({ action: "ask_hub", model: "m" }), "not the settings").toEqual({ does: "send", command: { command: "nudge" } });
  expect(act(null).text).toBe("Check again");
  const words = [acts.turn_on({ action: "turn_on", model: "m" }), ...Object.values(acts)].flatMap((one) => ("text" in one ? [one.text] : []));
  for (const word of words) expect(word, "no command of the terminal").not.toMatch(/porten|PORTEN|--/);
});

describe("a load", () => {
  const part = (state: PartStateView, name = "a"): PartView => ({ on: name, weights_mib: 10, layers: null, state });
  const each: Each<PartStateView> = {
    waiting: [{ state: "waiting" }, "0", "Waiting"],
    downloading: [{ state: "downloading", done_mib: 43, total_mib: 100, mib_per_s: 1126, left_s: 340 }, "0.43", "Downloading 43% · 1.1 GB/s"],
    loading: [{ state: "loading", layers: 12, of: 48 }, "0.25", "Loading 12/48 layers"],
    warming: [{ state: "warming" }, "1", "Warming"],
    ready: [{ state: "ready" }, "1", "Loaded"],
    failed: [{ state: "failed", why: "no space" }, "0", "Failed: no space"],
  };
  test.each(cases(each))("says what the part on a Mac does: %j", (state, done, said) => {
    const [one] = phases(make("m", { state: "loading", layers: 1, of: 4 }, { parts: [part(state), part({ state: "waiting" }, "b")] }));
    expect([String(one?.done), one?.text]).toEqual([done, said]);
  });
  test("says how long the slowest part will take", () => {
    const loading = (left_s: number) =>
      model(make("m", { state: "downloading", percent: 43, mib_per_s: 90 }, { parts: [part({ state: "downloading", done_mib: 1, total_mib: 2, mib_per_s: 90, left_s })] })).beside;
    expect([340, 30, 9000, 0].map(loading)).toEqual(["about 6 min left", "less than a minute left", "about 3 h left", "90 MB/s"]);
  });
  test("has no line without a size, once all is there, or for what only serves", () => {
    expect(phases(make("m", { state: "warming" }, { parts: [part({ state: "ready" })] }))).toEqual([]);
    expect(phases(make("m", { state: "serving", requests: 1 }, { parts: [part({ state: "waiting" })] }))).toEqual([]);
    expect(phases(make("m", { state: "downloading", percent: 0, mib_per_s: null }, { parts: [part({ state: "downloading", done_mib: 1, total_mib: 0, mib_per_s: null, left_s: null })] }))[0]?.done).toBe(0);
  });
});

test("each step and how it stands has its word", () => {
  const each: Record<Step, string> = {
    signed_in: "Signed in",
    hub_connected: "Hub connected",
    engine_answers: "Engine answers",
    cluster_complete: "Cluster complete",
    model_loaded: "Model loaded",
    model_proven: "Model proven",
    offered: "Offered by the Hub",
    serving: "Serving",
  };
  expect(steps).toEqual(each);
  const shapes: Record<RungState, string> = { reached: "online", pending: "connecting", failed: "down", unknown: "off" };
  expect(Object.fromEntries(Object.entries(rungs).map(([state, said]) => [state, said.shape]))).toEqual(shapes);
});

test("a rest is said until when, with the day where that is not today", () => {
  const rest = (until: string | null) => reason(snapshot({ overall: { state: "paused", until } }), NOW);
  expect(rest(ago(-14_160))).toBe("studio-1 · until 18:00");
  expect(rest("2026-11-26T08:00:00Z")).toBe("studio-1 · until tomorrow, 08:00");
  expect(rest("2026-11-28T08:00:00Z")).toBe("studio-1 · until Saturday, 08:00");
  expect(rest("2026-12-25T08:00:00Z")).toBe("studio-1 · until 25 Dec, 08:00");
  expect(rest(null)).toBe("studio-1 · while you use this Mac");
  expect(untilTomorrow(NOW)).toEqual({ how: "until", until: "2026-11-26T08:00:00.000Z" });
  expect(forAnHour(NOW)).toEqual({ how: "until", until: "2026-11-25T15:04:00.000Z" });
});

test("whoever rests is still wanted online, also while what runs is finished for it", () => {
  const pause = { pause: { how: "until", until: ago(-60) }, rests: true, cannot: null } as const;
  const off = { ...snapshot().hub, link: { state: "off" } } as const;
  expect(isOnline(snapshot({ overall: { state: "paused", until: null }, pause, hub: off }))).toBe(true);
  expect(isOnline(snapshot({ overall: { state: "finishing", requests: 1 }, pause }))).toBe(true);
  expect(isOnline(snapshot({ overall: { state: "off" }, hub: off, online: false }))).toBe(false);
});

test("who set a value is named, and only the environment locks it", () => {
  const each: Record<Origin["from"], [Origin, string, boolean]> = {
    environment: [{ from: "environment", name: "PORTEN_HUB_URL" }, "Set by PORTEN_HUB_URL", true],
    file: [{ from: "file", name: "hub.url" }, "Set by you", false],
    found: [{ from: "found" }, "", false],
    default: [{ from: "default" }, "", false],
  };
  for (const [origin, said, locked] of Object.values(each)) expect([setBy(origin), isLocked(origin)]).toEqual([said, locked]);
});

test("a Mac that left is lost, and one that only exo remembers is not shown", () => {
  expect(lost({ id: "a", name: "a", since: ago(130), installed_mib: null }, NOW)).toEqual({ shape: "down", word: "Lost", beside: "seen 2 min ago" });
  expect(lost({ id: "a", name: "a", since: null, installed_mib: null }, NOW)).toBeNull();
});

test("a link is slow only beside a faster one", () => {
  const [a, b] = [mac("a", 64, { link: "ethernet" }), mac("b", 64, { link: "rdma" })];
  expect([isSlow(a, [a]), isSlow(a, [a, b]), isSlow(b, [a, b])]).toEqual([false, true, false]);
});

test("a sign-in names the other Macs that it connects", () => {
  const said = (...names: string[]) =>
    connecting(snapshot({ cluster: { freshness: { state: "fresh" }, absent: [], members: [mac("me", 64, { this_mac: true }), ...names.map((name) => mac(name, 64))] } }));
  expect([said(), said("a"), said("a", "b"), said("a", "b", "c")]).toEqual(["", "with a, as one node", "with a and b, as one node", "with a and 2 more Macs, as one node"]);
});

test("ages are said in one unit, and a clock that went back is no negative age", () => {
  expect([3, 59, 60, 3600, 172_800].map((s) => age(ago(s), NOW))).toEqual(["3 s", "59 s", "1 min", "1 h", "2 days"]);
  expect(age(ago(-10), NOW)).toBe("0 s");
});

test("an event is told by the clock today, then by the day", () => {
  expect(clock(ago(240), NOW)).toBe("14:00");
  expect(clock(ago(2 * 86_400), NOW)).toBe("Monday");
  expect(clock(ago(30 * 86_400), NOW)).toBe("26 Oct");
});

test("the page ticks only while something on it grows older", () => {
  expect(counts(scene())).toBe(false);
  expect(counts(scene({ overall: { state: "waiting", until: ago(-3) } }))).toBe(true);
  const late = mac("b", 128, { state: { state: "late", since: ago(20) } });
  expect(counts(scene({ cluster: { freshness: { state: "fresh" }, absent: [], members: [late] } }))).toBe(true);
});

test("a sentence ends", () => {
  expect(["it is away", "No.", ""].map(sentence)).toEqual(["It is away.", "No.", ""]);
});

test("an apostrophe is printed as one", () => {
  expect(sentence("glm-5 is not in the Hub's catalog")).toBe("glm-5 is not in the Hub’s catalog.");
});

test("what the agent says keeps its letters: a Mac called mbp is not Mbp", () => {
  expect(["mbp has 1 GB left", "mbp has 1 GB left."].map(stop)).toEqual(["mbp has 1 GB left.", "mbp has 1 GB left."]);
});

test("what a notice says of a model its row does not", () => {
  const unfit = make("m", { state: "unfit", why: "9 GB too much" });
  const told = notice("model_unfit", "needs_you", "m does not fit", "9 GB too much.", "", { action: "make_room", model: "m" }, "m");
  expect(model(unfit, [told])).toEqual({ shape: "down", word: "Does not fit" });
  expect(model(unfit, [{ ...told, subject: "other", text: "x" }]).beside).toBe("9 GB too much");
});

test("the models' pace is that of what they do now", () => {
  const serving = (...speeds: (number | null)[]) => snapshot({ models: speeds.map((tokens_per_s, n) => make(`m${n}`, { state: "serving", requests: 1 }, { tokens_per_s })) });
  expect([pace(serving(14, 14)), pace(serving(28, null)), pace(serving(null))]).toEqual([28, 28, null]);
  expect(pace({ ...serving(28), traffic: { ...snapshot().traffic, in_flight: 0 } })).toBe(0);
});

test("speeds have groups of digits, and a decimal while they are small", () => {
  expect([0, 24.84, 99.9, 100, 10_000].map(rated)).toEqual(["0.0", "24.8", "99.9", "100", "10,000"]);
  expect(hub({ link: { state: "online", since: ago(9) }, rtt_ms: 12_345, drains: null }).word).toBe("Online · 12.3 s");
});

test("a sentence begins with a capital unless a name or an id stands there", () => {
  expect(["no byte", "exo stands still", "mini-pro is late", "a/b is slow."].map(sentence)).toEqual([
    "No byte.",
    "exo stands still.",
    "mini-pro is late.",
    "a/b is slow.",
  ]);
});
