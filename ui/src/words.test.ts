import { describe, expect, test } from "vitest";

import type { ModelState } from "./bindings/ModelState";
import type { Overall } from "./bindings/Overall";
import { ago, model as make, NOW, snapshot } from "./stories/make";
import { age, hub, invitation, memory, model, overall, progress, sentence } from "./words";

describe("the header", () => {
  const states: [Overall, string, string][] = [
    [{ state: "off" }, "off", "Off"],
    [{ state: "connecting" }, "connecting", "Connecting…"],
    [{ state: "serving", requests: 1 }, "online", "Serving"],
    [{ state: "ready", models: 2, wanted: 2 }, "online", "Ready"],
    [{ state: "ready", models: 1, wanted: 2 }, "degraded", "Ready · 1 of 2 models"],
    [{ state: "waiting", until: ago(-12) }, "connecting", "Trying again in 12 s"],
    [{ state: "finishing", requests: 2 }, "connecting", "Finishing 2 requests"],
    [{ state: "finishing", requests: 0 }, "connecting", "Finishing"],
    [{ state: "needs_you" }, "down", "Needs you"],
  ];
  test.each(states)("says %j with a shape and a word", (state, shape, word) => {
    expect(overall(state, false, NOW)).toMatchObject({ shape, word });
  });
  test("is a triangle while something is not as it should be", () => {
    expect(overall({ state: "serving", requests: 1 }, true, NOW).shape).toBe("degraded");
  });
});

describe("a model", () => {
  const states: [ModelState, string][] = [
    [{ state: "off" }, "off Off"],
    [{ state: "off_elsewhere" }, "off Off elsewhere"],
    [{ state: "withdrawn" }, "off Withdrawn"],
    [{ state: "unmatched", why: "two fit" }, "degraded Not found"],
    [{ state: "waiting", why: "for another" }, "connecting Waiting"],
    [{ state: "placing" }, "connecting Loading"],
    [{ state: "downloading", percent: 43, mib_per_s: 1126 }, "connecting Downloading 43 %"],
    [{ state: "loading", layers: 12, of: 43 }, "connecting Loading 12/43 layers"],
    [{ state: "warming" }, "connecting Warming"],
    [{ state: "proving" }, "connecting Proving"],
    [{ state: "ready", proven: ago(1) }, "online Ready"],
    [{ state: "serving", requests: 1 }, "online Serving"],
    [{ state: "finishing", requests: 2 }, "connecting Finishing"],
    [{ state: "failed", why: "no room" }, "down Failed"],
  ];
  test.each(states)("says %j", (state, said) => {
    const { shape, word } = model(make("m", state));
    expect(`${shape} ${word}`).toBe(said);
  });
  test("that is ready but not placed by the Hub is no green disc, and says why", () => {
    expect(model(make("m", { state: "ready", proven: ago(1) }, { standing: "not_offered" }))).toEqual({
      shape: "degraded",
      word: "Ready",
      beside: "not offered by the Hub",
    });
  });
  test("tells its progress only where the phase is known", () => {
    expect(progress(make("m", { state: "loading", layers: 50, of: 43 }))).toBe(1);
    expect(progress(make("m", { state: "loading", layers: 0, of: 0 }))).toBeNull();
    expect(progress(make("m", { state: "downloading", percent: 43, mib_per_s: null }))).toBe(0.43);
    expect(progress(make("m", { state: "warming" }))).toBeNull();
  });
});

test("the Hub is green only once it has answered", () => {
  expect(hub({ state: "online", since: ago(5) }, 34)).toEqual({ shape: "online", word: "Online · 34 ms" });
  expect(hub({ state: "waiting", until: ago(-3), why: "x" }, null).shape).toBe("connecting");
  expect(hub({ state: "refused", why: "x", remedy: "y" }, null).shape).toBe("down");
});

test("memory that nobody knows is not a number, and an assumed one is called so", () => {
  const { memory: known } = snapshot();
  expect(memory(known)).toEqual({ big: "480 GB", beside: "for models, assumed", right: "of 640 GB" });
  expect(memory({ ...known, origin: "set", advertised_mib: 262_144 }).big).toBe("256 GB");
  expect(memory({ ...known, origin: "unknown", raw_mib: null }).big).toBe("Not known");
});

test("the invitation counts the Macs", () => {
  expect(invitation(snapshot())).toMatch(/^These 3 Macs have 480 GB for models\./);
  expect(invitation(snapshot({ cluster: null }))).toMatch(/^This Mac has/);
});

test("ages are said in one unit, and a clock that went back is no negative age", () => {
  expect([3, 59, 60, 3600, 172_800].map((s) => age(ago(s), NOW))).toEqual(["3 s", "59 s", "1 min", "1 h", "2 days"]);
  expect(age(ago(-10), NOW)).toBe("0 s");
});

test("a sentence ends", () => {
  expect(["exo is away", "No.", ""].map(sentence)).toEqual(["Exo is away.", "No.", ""]);
});
