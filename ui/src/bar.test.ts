import { describe, expect, test } from "vitest";

import { segments, spoken } from "./bar";
import { mac } from "./stories/make";

const WIDTH = 292;

/** Repeatable chance (mulberry32). */
function chance(seed: number) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe("the memory bar", () => {
  test("is as wide as it may be, in the order of the Macs, each by what is installed in it", () => {
    const [one, two, three] = segments([mac("a", 256), mac("b", 256), mac("c", 128)], [], WIDTH);
    expect(one?.x).toBe(0);
    expect(one?.width).toBeCloseTo(two?.width ?? 0);
    expect(one?.width).toBeGreaterThan(three?.width ?? WIDTH);
    expect((three?.x ?? 0) + (three?.width ?? 0)).toBeCloseTo(WIDTH);
  });

  test("names a segment by as much as fits, and never by half a letter", () => {
    const label = (name: string, gb: number) => segments([mac(name, gb), mac("b", 512)], [], WIDTH)[0]?.label;
    expect(label("studio-1", 512)).toBe("studio-1");
    expect(label("the-mac-studio-under-the-desk", 512)).toMatch(/^the-mac-studio-under.*…$/);
    const family = "👩‍👩‍👧‍👦";
    expect(label(family.repeat(20), 512)).toBe(`${family.repeat(10)}…`);
    expect(label("the-mac-studio-under-the-desk", 8), "three letters say nothing").toBe("");
  });

  test("never draws beyond a segment, whatever the Macs tell", () => {
    const luck = chance(7);
    const mib = () => (luck() < 0.2 ? null : Math.floor(luck() * 600_000) - 1000);
    for (let round = 0; round < 2000; round++) {
      const members = Array.from({ length: 1 + Math.floor(luck() * 6) }, (_, n) =>
        mac(`m${n}`, 128, { installed_mib: mib(), free_mib: mib(), usable_mib: mib(), models_mib: Math.max(0, mib() ?? 0) }),
      );
      const parts = segments(members, [], WIDTH);
      let end = 0;
      for (const { x, width, models, other, limit } of parts) {
        expect(x).toBeGreaterThanOrEqual(end);
        expect(width).toBeGreaterThan(0);
        for (const part of [models, other, limit ?? 0]) expect(part).toBeGreaterThanOrEqual(0);
        expect(models + other).toBeLessThanOrEqual(width + 1e-6);
        expect(limit ?? 0).toBeLessThanOrEqual(width + 1e-6);
        end = x + width;
      }
      expect(end).toBeLessThanOrEqual(WIDTH + 1e-6);
    }
  });

  test("does not pretend to know a Mac that is not heard of", () => {
    const late = mac("b", 128, { state: { state: "late", since: "2026-11-25T14:00:00Z" } });
    const [, lost] = segments([mac("a", 128), late], [], WIDTH);
    expect(lost).toMatchObject({ known: false, models: 0, other: 0, limit: null });
    expect(spoken([late])).toBe("b: not known");
  });

  test("keeps the place of a Mac that left until it is forgotten", () => {
    const late = mac("b", 256, { state: { state: "late", since: "2026-11-25T14:00:00Z" } });
    const gone = { id: "b", name: "b", since: "2026-11-25T14:00:00Z", installed_mib: 256 * 1024 };
    const [before, after] = [segments([mac("a", 128), late], [], WIDTH), segments([mac("a", 128)], [gone], WIDTH)];
    expect(after).toEqual(before);
    expect(spoken([mac("a", 128)], [gone])).toMatch(/; b: not known$/);
    expect(segments([mac("a", 128)], [{ ...gone, since: null }], WIDTH), "only exo remembers it").toHaveLength(1);
  });

  test("marks a limit that a person told, or moves the marks to the budget that was set", () => {
    const one = (more: Parameters<typeof mac>[2], budget?: Parameters<typeof segments>[3]) => segments([mac("a", 128, more)], [], WIDTH, budget)[0];
    expect(one({})?.mine).toBe(false);
    expect(one({ usable_origin: "told" })?.mine).toBe(true);
    const half = one({}, { advertised_mib: 48 * 1024, schedulable_mib: 96 * 1024 });
    expect([half?.mine, half?.limit]).toEqual([true, (one({})?.limit ?? 0) / 2]);
    const above = one({}, { advertised_mib: 200 * 1024, schedulable_mib: 96 * 1024 });
    expect(above?.limit, "no more than a GPU may hold").toBe(one({})?.limit);
  });
});
