// With a keyboard alone, in Chromium: whatever can be done is reached in the order of the page, seen and named.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { drawn, open, popover, settings } from "./house.mjs";
import { actions, follows, walk } from "./hands.mjs";
import { moving } from "./looks.mjs";

let house;
before(async () => (house = await open()));
after(() => house.close());

/** A story on a page of its own. */
async function story(kind, name, then) {
  const context = await house.context(kind);
  const page = await context.newPage();
  try {
    await house.tell(page, kind, name);
    await then(page, await context.newCDPSession(page));
  } finally {
    await context.close();
  }
}

const POPOVER = ["serving", "attention", "two-notices", "no-engine", "signed-out", "signing-in-browser", "signing-in-failed", "paused", "why-no-requests", "steps", "six-macs", "more", "every-state", "starting", "trouble"];
const SETTINGS = ["settings", "settings-automatic", "settings-locked", "settings-signed-out", "settings-signing-in", "settings-signing-out", "settings-login-off", "settings-paused", "settings-trouble"];
/** What has a role in a tree must have a name too. */
const NAMED = new Set(["button", "switch", "textbox", "searchbox", "radio", "radiogroup", "progressbar", "image", "dialog", "region", "group", "heading", "link"]);

for (const [kind, names] of [[popover, POPOVER], [settings, SETTINGS]]) {
  for (const name of names) {
    test(`${name}: Tab reaches each action, in order, with a ring around it, a role and a name`, () =>
      story(kind, name, async (page, session) => {
        // The first look begins where a person is expected; what is walked is the whole page.
        const all = await page.evaluate(actions, kind.root);
        const steps = await walk(page, session, kind.root);
        const options = await page.locator("[role=radio][tabindex='-1']").count();
        assert.deepEqual(steps.map((step) => step.at), all.map((_, n) => n), `of ${all.join(", ")}, and ${options} more by arrows: ${steps.map((step) => step.name).join(", ")}`);
        for (const [n, step] of steps.entries()) {
          assert.deepEqual(step.wrong, [], `${step.role} ${step.name}`);
          assert.match(step.role, /^(button|switch|textbox|searchbox|radio|region)$/, step.name);
          assert.notEqual(step.name, "", step.role);
          if (n > 0) assert.ok(follows(steps[n - 1], step), `${step.name} stands before ${steps[n - 1].name}`);
        }
        const { nodes } = await session.send("Accessibility.getFullAXTree");
        const nameless = nodes.filter(({ ignored, role, name: called }) => !ignored && NAMED.has(role?.value) && !called?.value);
        assert.deepEqual(nameless.map(({ role }) => role.value), []);
      }));
  }
}

test("serving: whoever does not see the page is told these, in this order", () =>
  story(popover, "serving", async (page, session) => {
    const said = (await walk(page, session, popover.root)).map(({ role, name }) => `${role} ${name}`);
    assert.deepEqual(said, [
      "button Serving",
      "switch Serve studio-1 to the Hub",
      "switch deepseek-v4-flash",
      "switch qwen3-coder-next",
      "switch minimax-m2.7",
      "button Copy the endpoint for clients",
      "button Settings",
      "button More: pause, sign out, quit",
    ]);
    const { nodes } = await session.send("Accessibility.getFullAXTree");
    const said_ = (role) => nodes.filter((node) => !node.ignored && node.role?.value === role).map((node) => node.name?.value);
    assert.deepEqual(said_("dialog"), ["Porten"]);
    assert.deepEqual(said_("heading"), ["Serving", "Macs", "Models"]);
    assert.ok(said_("image").some((name) => name.startsWith("studio-1: 78 GB models, 160 GB free, of 256 GB, limit 192 GB")), said_("image").join(" | "));
    assert.deepEqual(nodes.filter((node) => node.role?.value === "switch").map((node) => node.properties.find(({ name }) => name === "checked").value.value), ["true", "true", "true", "false"]);
  }));

test("Space and Enter switch, and the switch keeps the focus", () =>
  story(popover, "serving", async (page) => {
    for (const label of ["minimax-m2.7", "Serve studio-1 to the Hub"]) {
      const one = page.locator(`[role=switch][aria-label='${label}']`);
      await one.focus();
      for (const key of ["Space", "Enter", "Space"]) {
        const was = await one.getAttribute("aria-checked");
        await page.keyboard.press(key);
        await drawn(page);
        assert.notEqual(await one.getAttribute("aria-checked"), was, `${key} on ${label}`);
        assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), label);
      }
    }
  }));

test("Space and Enter switch in the settings, and the arrows choose", () =>
  story(settings, "settings", async (page) => {
    const awake = page.locator("[role=switch][aria-label='Keep awake while serving']");
    await awake.focus();
    await page.keyboard.press("Space");
    await page.locator("[role=switch][aria-label='Keep awake while serving'][aria-checked=false]").waitFor();
    await page.keyboard.press("Enter");
    await page.locator("[role=switch][aria-label='Keep awake while serving'][aria-checked=true]").waitFor();
    await page.locator("[aria-label='Unload an idle model after'] [aria-checked=true]").focus();
    await page.keyboard.press("ArrowRight");
    await page.locator("[aria-label='Unload an idle model after'] [aria-checked=true]", { hasText: "10 min" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "10 min");
  }));

test("Esc takes back what was opened, then closes", () =>
  story(popover, "six-macs", async (page) => {
    const asked = () => page.evaluate(() => document.body.dataset.asked);
    await page.keyboard.type("glm-5-8");
    assert.equal(await page.locator("section[aria-label=Models] [role=switch]").count(), 1);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator("section[aria-label=Models] [role=switch]").count(), 40);
    await page.locator("[aria-label^=More]").press("Enter");
    await page.locator(".more").waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".more").count(), 0);
    assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^More/);
    assert.equal(await asked(), undefined);
    await page.keyboard.press("Escape");
    assert.equal(await asked(), "hide");
  }));

test("a keyboard stays near where it was when what it was on goes away", async () => {
  const at = (page) => page.evaluate(() => (document.activeElement === document.body ? "nowhere" : (document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent)));
  const press = async (page, text) => {
    await page.getByRole("button", { name: text, exact: true }).focus();
    await page.keyboard.press("Enter");
    await drawn(page);
  };
  await story(popover, "attention", async (page) => {
    await page.getByRole("button", { name: "Check again" }).focus();
    await page.evaluate(() => window.dispatchEvent(new CustomEvent("scene", { detail: "serving" })));
    await drawn(page);
    assert.notEqual(await at(page), "nowhere", "the notice has ended");
  });
  await story(popover, "paused", async (page) => {
    await press(page, "Resume");
    assert.notEqual(await at(page), "nowhere", "it is resumed");
  });
  await story(popover, "signed-out", async (page) => {
    await press(page, "Sign in…");
    assert.equal(await at(page), "Open in the browser instead");
    await press(page, "Cancel");
    assert.equal(await at(page), "Sign in…");
  });
  await story(settings, "settings-automatic", async (page) => {
    await press(page, "For 1 hour");
    assert.equal(await at(page), "Resume");
    await press(page, "Change the Hub’s address");
    assert.equal(await at(page), "The Hub’s address");
    await page.keyboard.press("Escape");
    await drawn(page);
    assert.equal(await at(page), "Change the Hub’s address");
    await press(page, "Test");
    assert.equal(await at(page), "Test");
  });
});

test("the ring turns and switches glide, unless a person wants no motion", () =>
  story(popover, "loading", async (page) => {
    const toggled = async () => {
      await page.locator("[role=switch]").last().click();
      return page.evaluate(moving);
    };
    await page.emulateMedia({ reducedMotion: "no-preference" });
    const moved = await toggled();
    assert.ok(moved.some((one) => one.startsWith("turn runs")), moved.join("; "));
    assert.ok(moved.some((one) => one.startsWith("translate runs")), moved.join("; "));
    await page.emulateMedia({ reducedMotion: "reduce" });
    assert.deepEqual(await toggled(), []);
  }));
