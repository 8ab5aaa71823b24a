import { expect, test } from "vitest";

import { spark } from "./spark";

test("the last hour says now, its peak, and how far it goes back", () => {
  const hour = Array.from({ length: 60 }, (_, n) => n * 60);
  expect(spark(hour, null, 176, 30)).toMatchObject({ now: 59, peak: 59, span: "last hour" });
  expect(spark([60, 1200, 600], null, 176, 30)).toMatchObject({ now: 10, peak: 20, span: "last 3 min" });
});

test("now is what is generated now, not the last whole minute", () => {
  expect(spark([480, 480, 0], 28, 176, 30)).toMatchObject({ now: 28, peak: 28, x: 173.5, y: 2 });
  expect(spark([480, 480, 480], 0, 176, 30)).toMatchObject({ now: 0, peak: 8 });
});

test("the last minute is at the right, the peak stays under the edge, and all of it inside", () => {
  const it = spark([0, 600, 300], null, 176, 30);
  expect(it?.line).toBe("M167.6 29L170.6 2L173.5 15.5");
  expect([it?.x, it?.y]).toEqual([173.5, 15.5]);
  expect(it?.area).toBe("M167.6 29L170.6 2L173.5 15.5L173.5 30L167.6 30Z");
});

test("where nothing was generated, or no time has passed, there is nothing to see", () => {
  for (const tokens of [[], [600], [0, 0, 0]]) expect(spark(tokens, 0, 176, 30)).toBeNull();
});
