// What a screen reader says of its own accord, in Chromium: one sentence for what has changed, and none for a number that moves.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { open, popover, settings } from "./house.mjs";

let house;
before(async () => (house = await open()));
after(() => house.close());

/** Longer than a state must last to be said (ms). */
const CALM = 2600;

/** Writes down in `window.heard` whatever live regions gain; what comes at once is one announcement. */
function listen() {
  const AT_ONCE = 150;
  const usual = { status: "polite", alert: "assertive", log: "polite" };
  const REGIONS = "[aria-live], [role=status], [role=alert], [role=log]";
  const how = (region) => region.getAttribute("aria-live") ?? usual[region.getAttribute("role")];
  window.heard = [];
  const hear = (region, text) => {
    if (!region || how(region) === "off" || !text.trim()) return;
    const last = window.heard.find((one) => one.region === region && performance.now() - one.when < AT_ONCE);
    if (last) last.text = region.textContent.trim();
    else window.heard.push({ region, how: how(region), text: text.trim(), when: performance.now() });
  };
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      const around = (target instanceof Element ? target : target.parentElement)?.closest(REGIONS);
      if (type === "characterData") hear(around, target.data);
      for (const node of addedNodes) {
        hear(around, node.textContent ?? "");
        if (!(node instanceof Element)) continue;
        for (const one of [node, ...node.querySelectorAll("*")]) if (one.matches(REGIONS)) hear(one, one.textContent);
      }
    }
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
}

/** What is heard while `then` happens to a story, and a moment longer. */
async function heard(kind, name, then, ms = CALM) {
  const context = await house.context(kind);
  const page = await context.newPage();
  try {
    await house.tell(page, kind, name);
    await page.evaluate(listen);
    await then(page);
    await page.waitForTimeout(ms);
    return await page.evaluate(() => window.heard.map(({ how, text }) => `${how}: ${text}`));
  } finally {
    await context.close();
  }
}

const becomes = (name) => (page) => page.evaluate((detail) => window.dispatchEvent(new CustomEvent("scene", { detail })), name);

describe("a change is said once, politely", { concurrency: 4 }, () => {
  for (const [from, to, words] of [
    ["serving", "offline", "Off"],
    ["ready", "waiting", "Trying again"],
    ["serving", "attention", "Ready. studio-2 stopped responding."],
    ["serving", "no-engine", "Can’t reach exo"],
    ["serving", "stalled", "deepseek-v4-flash is stuck loading"],
    ["paused", "ready", "Ready"],
    ["serving", "trouble", "Porten can’t start"],
  ]) {
    test(`${from} becomes ${to}`, async () => assert.deepEqual(await heard(popover, from, becomes(to)), [`polite: ${words}`]));
  }

  test("a model becomes ready", async () => {
    const ready = (page) =>
      page.evaluate(() => {
        const detail = ({ snapshot }) => (snapshot.models.find((model) => model.id === "kimi-k3").state = { state: "ready", proven: snapshot.host.since });
        window.dispatchEvent(new CustomEvent("scene", { detail }));
      });
    assert.deepEqual(await heard(popover, "loading", ready), ["polite: kimi-k3 is ready."]);
  });

  test("a code for the sign-in has come", async () => {
    const said = await heard(popover, "signing-in", becomes("signing-in-window"));
    assert.equal(said.length, 1, said.join(" | "));
    assert.match(said[0], /^polite: .*W D J B, M J H T.*Go on only if the page shows the same code.*Finish in the sign-in window/);
  });

  test("the endpoint was copied", async () => {
    assert.deepEqual(await heard(popover, "serving", (page) => page.getByRole("button", { name: "Copy the endpoint for clients" }).click()), ["polite: Copied"]);
  });

  test("the engine was tested", async () => {
    const said = await heard(settings, "settings-automatic", (page) => page.getByRole("button", { name: "Test", exact: true }).click(), 500);
    assert.equal(said.length, 1, said.join(" | "));
    assert.match(said[0], /^polite: Answers *exo answers at http:\/\/localhost:52415/);
  });
});

/** Everything on the page that counts, `n` further. */
function count(n) {
  const detail = ({ snapshot }) => {
    snapshot.seq += n;
    snapshot.hub.rtt_ms = 30 + n;
    snapshot.traffic = { ...snapshot.traffic, in_flight: n, completed: 800 + n, tokens: 120_000 + n };
    snapshot.activity.tokens_a_minute = [...snapshot.activity.tokens_a_minute.slice(1), 100 * n];
    const it = snapshot.overall;
    if (it.state === "serving" || it.state === "finishing") it.requests = n;
    if (it.state === "ready") it.models = n % 2;
    if (it.state === "waiting") it.until = new Date(Date.parse(it.until) - 1000).toISOString();
    for (const mac of snapshot.cluster?.members ?? []) Object.assign(mac, { gpu_percent: n, free_mib: 1024 * n, models_mib: 1024 * n });
    for (const model of snapshot.models) {
      model.tokens_per_s = n;
      if (model.state.state === "downloading") model.state.percent = n;
      if (model.state.state === "loading") model.state.layers = n;
      if (model.state.state === "serving") model.state.requests = n;
      if (model.state.state === "stalled") model.state.why = `no byte for ${n} s on mbp`;
      for (const { state } of model.parts) if (state.state === "downloading") state.done_mib = 100 * n;
    }
    for (const notice of snapshot.notices) notice.text = `no byte for ${n} s on mbp`;
  };
  window.dispatchEvent(new CustomEvent("scene", { detail }));
}

describe("a number that moves is not said", { concurrency: 4 }, () => {
  for (const name of ["serving", "ready", "waiting", "loading", "stalled", "finishing", "attention", "why-no-requests"]) {
    test(name, async () => {
      const counting = async (page) => {
        const before = await page.locator(".popover").textContent();
        for (let n = 1; n <= 12; n += 1) await page.evaluate(count, n);
        assert.notEqual(await page.locator(".popover").textContent(), before, "something has moved");
      };
      assert.deepEqual(await heard(popover, name, counting), []);
    });
  }
});
