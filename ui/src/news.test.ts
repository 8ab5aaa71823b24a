import { expect, test } from "vitest";

import type { ModelState } from "./bindings/ModelState";
import { news, stateWord } from "./news";
import { ago, mac, model, notice, NOW, scene } from "./stories/make";

const with_ = (state: ModelState) => scene({ models: [model("m", state)] });
const macs = (...members: ReturnType<typeof mac>[]) => scene({ cluster: { freshness: { state: "fresh" }, absent: [], members } });
const STUCK = { action: "restart_load", model: "m" } as const;
const late = mac("b", 128, { state: { state: "late", since: ago(20) } });

test("a model that becomes ready is said once", () => {
  const [proving, ready, serving] = [with_({ state: "proving" }), with_({ state: "ready", proven: ago(1) }), with_({ state: "serving", requests: 1 })];
  expect(news(proving, ready)).toEqual(["m is ready."]);
  expect(news(ready, serving)).toEqual([]);
});

test("a Mac that is lost, and one that is back, are said", () => {
  expect(news(macs(mac("a", 128), mac("b", 128)), macs(mac("a", 128), late))).toEqual(["b stopped responding."]);
  expect(news(macs(late), macs(mac("b", 128)))).toEqual(["b is back."]);
});

test("what only counts is not said", () => {
  const loading = (layers: number) => with_({ state: "loading", layers, of: 43 });
  expect(news(loading(3), loading(4))).toEqual([]);
  const waiting = (s: number) => scene({ overall: { state: "waiting", until: ago(-s) } });
  expect(stateWord(waiting(12), NOW)).toBe(stateWord(waiting(3), NOW));
});

test("a notice is said once, by its title, whatever its text counts; a note is not", () => {
  const stalled = (s: number) => scene({ notices: [notice("load_stalled", "needs_you", "m is stuck loading", `No byte for ${s} s.`, "", STUCK)] });
  expect(news(scene(), stalled(90))).toEqual(["m is stuck loading."]);
  expect(news(stalled(90), stalled(91))).toEqual([]);
  expect(news(scene(), scene({ notices: [notice("limit_assumed", "note", "Memory is estimated", "", "", { action: "tell_limit", mac: null, mib: null })] }))).toEqual([]);
});

test("a Mac that a notice names is not named twice", () => {
  const lost = notice("member_lost", "degraded", "b stopped responding", "", "", { action: "check_mac", mac: "b" }, "b");
  const after = macs(mac("a", 128), late);
  if (after.snapshot) after.snapshot.notices = [lost];
  expect(news(macs(mac("a", 128), mac("b", 128)), after)).toEqual(["b stopped responding."]);
});
