import { flushSync, mount, unmount } from "svelte";
import { afterEach, expect, test, vi } from "vitest";

import App from "./App.svelte";
import type { Command } from "./bindings/Command";
import type { Scene } from "./bindings/Scene";
import type { Host } from "./host";
import { NOW, stories } from "./stories/index";
import { ago, scene } from "./stories/make";
import { teller } from "./stories/tell";

let open: (() => void) | undefined;
function close() {
  open?.();
  open = undefined;
}
afterEach(close);

/** The page over a story, and what it asked of the host. */
function page(name: string, more: Partial<Host> = {}) {
  const story = stories[name];
  if (!story) throw new Error(`there is no story ${name}`);
  const sent: Command[] = [];
  const over = teller(story);
  const host: Host = {
    ...over,
    send: (command) => {
      sent.push(command);
      return over.send(command);
    },
    ...more,
  };
  const app = mount(App, { target: document.body, props: { host, at: NOW } });
  flushSync();
  open = () => void unmount(app);
  return { sent };
}

function find(name: string): HTMLElement {
  const all = [...document.querySelectorAll<HTMLElement>("button")];
  const found = all.find((one) => (one.getAttribute("aria-label") ?? one.textContent) === name);
  if (!found) throw new Error(`there is no ${name} among ${all.map((one) => one.getAttribute("aria-label") ?? one.textContent).join(", ")}`);
  return found;
}

function press(name: string) {
  find(name).click();
  flushSync();
}

test("a model's switch shows the wish at once, and the word stays what is", () => {
  const { sent } = page("serving");
  press("minimax-m2.7");
  expect(sent).toEqual([{ command: "set_model", id: "minimax-m2.7", on: true, how: null, keep: false }]);
  expect(find("minimax-m2.7").getAttribute("aria-checked")).toBe("true");
  expect(find("minimax-m2.7").closest("li")?.textContent).toContain("Off");
});

test("the header's switch goes offline", () => {
  const { sent } = page("serving");
  press("Serve studio-1 to the Hub");
  expect(sent).toEqual([{ command: "set_online", online: false }]);
  expect(find("Serve studio-1 to the Hub").getAttribute("aria-checked")).toBe("false");
  expect(document.querySelector("h1")?.textContent).toBe("Finishing 2 requests");
});

test("a wish that was declined says why under its row", async () => {
  page("serving", { send: () => Promise.reject({ code: "not_kept", text: "The disk is full." }) });
  press("minimax-m2.7");
  await vi.waitFor(() => expect(document.querySelector(".declined")?.textContent).toBe("The disk is full."));
});

test("whoever is signed out is invited once, and nothing pretends to serve", () => {
  const signIn = vi.fn(() => Promise.resolve());
  page("signed-out", { signIn });
  expect(document.querySelectorAll(".notice").length).toBe(0);
  expect(document.querySelectorAll("[aria-label=Models]").length).toBe(0);
  expect((find("Serve studio-1 to the Hub") as HTMLButtonElement).disabled).toBe(true);
  press("Sign in…");
  expect(signIn).toHaveBeenCalledWith(false);
});

test("a sign-in that waits can go to the browser, or be given up", () => {
  const [signIn, cancelSignIn] = [vi.fn(() => Promise.resolve()), vi.fn(() => Promise.resolve())];
  page("signing-in-window", { signIn, cancelSignIn });
  expect(document.body.textContent).toContain("WDJB-MJHT");
  press("Open in the browser instead");
  expect(signIn).toHaveBeenCalledWith(true);
  press("Cancel");
  expect(cancelSignIn).toHaveBeenCalled();
});

test("a Hub that asks to wait longer is named", () => {
  page("signing-in-slower");
  expect(document.body.textContent).toContain("The Hub asked to wait longer, so your answer is noticed within 10 s.");
});

test("another site is named, and its place is the browser", () => {
  page("signing-in-browser");
  expect(document.body.textContent).toContain("Your Hub signs in at accounts.example.com: continue in your browser.");
});

test("signing out asks once more", () => {
  const { sent } = page("serving");
  press("More: pause, sign out, quit");
  press("Sign out…");
  expect(sent).toEqual([]);
  expect(document.querySelector(".more")?.textContent).toContain("Sign out? The Hub forgets this Mac.");
  press("Sign out");
  expect(sent).toEqual([{ command: "sign_out" }]);
});

test("Esc closes the menu first, then the popover", () => {
  const hide = vi.fn(() => Promise.resolve());
  page("serving", { hide });
  press("More: pause, sign out, quit");
  const esc = () => {
    window.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", cancelable: true }));
    flushSync();
  };
  esc();
  expect(document.querySelector(".more")).toBeNull();
  expect(hide).not.toHaveBeenCalled();
  esc();
  expect(hide).toHaveBeenCalledOnce();
});

test("one notice, one action, and no neighbour offers the same", () => {
  const { sent } = page("refused");
  const tries = [...document.querySelectorAll("button")].filter((one) => one.textContent === "Try now");
  expect(tries.length, "in the Hub's row: the notice leads to the settings").toBe(1);
  tries[0]?.click();
  expect(sent).toEqual([{ command: "nudge" }]);
});

test("forty models can be searched", () => {
  page("six-macs");
  const box = document.querySelector<HTMLInputElement>("input[type=search]");
  if (!box) throw new Error("there is no search");
  box.value = "GLM-5-8";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  flushSync();
  expect([...document.querySelectorAll("section[aria-label=Models] [role=switch]")].map((one) => one.getAttribute("aria-label"))).toEqual(["glm-5-8bit"]);
});

test("a letter typed anywhere finds a model, and Esc clears the search before it closes", () => {
  const hide = vi.fn(() => Promise.resolve());
  page("six-macs", { hide });
  const box = document.querySelector<HTMLInputElement>("input[type=search]");
  window.dispatchEvent(new KeyboardEvent("keydown", { key: "m" }));
  expect(document.activeElement).toBe(box);
  if (!box) return;
  box.value = "nothing is called so";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  flushSync();
  expect(document.body.textContent).toContain("No model is called “nothing is called so”.");
  box.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }));
  flushSync();
  expect(box.value).toBe("");
  expect(hide).not.toHaveBeenCalled();
});

test("the arrows go from switch to switch", () => {
  page("serving");
  find("deepseek-v4-flash").focus();
  const down = () => document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true, cancelable: true }));
  down();
  expect(document.activeElement).toBe(find("qwen3-coder-next"));
  down();
  down();
  expect(document.activeElement).toBe(find("minimax-m2.7"));
});

test("a keyboard begins at what is asked of the person, else at the switch", () => {
  page("refused");
  expect(document.activeElement?.textContent).toBe("Change…");
  close();
  page("serving");
  expect(document.activeElement).toBe(find("Serve studio-1 to the Hub"));
});

test("models do not change places while the page is open", () => {
  page("serving");
  const ids = () => [...document.querySelectorAll("section[aria-label=Models] [role=switch]")].map((one) => one.getAttribute("aria-label"));
  const before = ids();
  press("deepseek-v4-flash");
  press("minimax-m2.7");
  expect(ids()).toEqual(before);
});

/** For tests that open every story (ms). */
const MANY_PAGES = 60_000;

test("each notice has one action, at most one button stands out, and no row offers what a notice does", { timeout: MANY_PAGES }, () => {
  for (const name of Object.keys(stories)) {
    page(name);
    for (const notice of document.querySelectorAll(".notice:not(:has(.told))")) expect(notice.querySelectorAll("button").length, name).toBe(1);
    expect(document.querySelectorAll(".notice").length, name).toBeLessThanOrEqual(2);
    expect(document.querySelectorAll(".button.primary").length, name).toBeLessThanOrEqual(1);
    const offered = [...document.querySelectorAll(".notice button")].map((one) => one.textContent);
    const looks = [...document.querySelectorAll(".row .link")].filter((one) => /Try now|Check again/.test(one.textContent));
    expect(looks.length, name).toBeLessThanOrEqual(offered.some((text) => /Try now|Check again/.test(text)) ? 0 : 1);
    close();
  }
});

/** Every text on the page that a person reads, by the element that holds it. */
function texts(): string[] {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const said: string[] = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const hidden = node.parentElement?.closest(".vh, [aria-hidden], svg");
    if (!hidden) said.push(...(node.textContent ?? "").split(/(?<=[.!?]) | · /).map((one) => one.trim().replace(/\.$/, "").toLowerCase()));
  }
  return said.filter((one) => one.split(" ").length > 3);
}

test("no sentence stands twice on a page, and none is a command of the terminal", { timeout: MANY_PAGES }, () => {
  for (const name of Object.keys(stories)) {
    // Every notice of one has the same made-up text, and every model of the other the same state.
    if (name === "every-notice" || name === "every-reason") continue;
    page(name);
    expect(document.body.textContent, name).not.toMatch(/\bporten (login|logout|models|online|offline|resume|cluster|config|run|status)\b/);
    const opens = document.querySelector<HTMLElement>(".opens");
    for (const opened of [false, true]) {
      if (opened) opens?.click();
      flushSync();
      const names = stories[name]?.snapshot?.cluster?.members.map((mac) => mac.name.toLowerCase()) ?? [];
      const said = texts().filter((one) => !names.includes(one));
      expect(said.filter((one, n) => said.indexOf(one) !== n), `${name}${opened ? ", step by step" : ""}`).toEqual([]);
    }
    close();
  }
});

test("every model off has a button that turns one on", () => {
  const { sent } = page("models-off");
  expect(document.querySelector("h1")?.textContent).toBe("Every model is off");
  press("Turn on");
  expect(sent).toEqual([{ command: "set_model", id: "minimax-m2.7", on: true, how: null, keep: false }]);
});

test("what stands first is what blocks, and its notice does not say it again", () => {
  page("unfit");
  expect(document.querySelector("h1")?.textContent).toBe("kimi-k2.7-code needs 610 GB, this cluster holds 480");
  expect(document.querySelector(".notice h2")?.className).toBe("vh");
  expect(document.querySelector("[aria-label=Models]")?.textContent).not.toContain("would need");
});

test("whoever rests sees until when, and Resume ends it", () => {
  const { sent } = page("paused");
  expect(document.querySelector("h1")?.textContent).toBe("Paused");
  expect(document.querySelector(".why")?.textContent).toBe("studio-1 · until 18:00");
  expect(find("Serve studio-1 to the Hub").getAttribute("aria-checked"), "the wish stays").toBe("true");
  press("Resume");
  expect(sent).toEqual([{ command: "pause", pause: null }]);
  expect(document.querySelector("h1")?.textContent).toBe("Connecting…");
});

test("whoever rests while the Mac is used is told so", () => {
  page("paused-in-use");
  expect(document.querySelector(".why")?.textContent).toBe("studio-1 · while you use this Mac");
});

test("a rest of an hour, until tomorrow, or while the Mac is used begins in the menu", () => {
  const { sent } = page("serving");
  const before = Date.now();
  press("More: pause, sign out, quit");
  press("Pause for 1 hour");
  press("Resume");
  press("More: pause, sign out, quit");
  press("Pause while I use this Mac");
  press("More: pause, sign out, quit");
  press("Serve also while I use this Mac");
  const [hour, none, used, no] = sent.map((one) => one.command === "pause" && one.pause);
  expect(hour && hour.how === "until" && Date.parse(hour.until) - before).toBeGreaterThanOrEqual(3_600_000);
  expect([none, used, no]).toEqual([null, { how: "while_in_use" }, null]);
  expect(document.querySelector(".more")).toBeNull();
});

test("the header's word opens the steps, each with its state", () => {
  page("stalled");
  expect(document.querySelector("[aria-label='Step by step']")).toBeNull();
  find("deepseek-v4-flash is stuck loading").click();
  flushSync();
  expect(find("deepseek-v4-flash is stuck loading").getAttribute("aria-expanded")).toBe("true");
  const steps = [...document.querySelectorAll("[aria-label='Step by step'] li")].map((one) => one.textContent.replace(/\s+/g, " ").trim());
  expect(steps.slice(3, 6)).toEqual([
    "Reached Cluster complete3 Macs",
    "Reached Model loaded2 of 2",
    "Not reached Model proven",
  ]);
});

test("a load has a line for each Mac, and one that stands still is grey", () => {
  page("stalled");
  const lines = [...document.querySelectorAll(".phases [role=progressbar]")];
  expect(lines.map((one) => [one.getAttribute("aria-label"), one.getAttribute("aria-valuetext"), one.getAttribute("aria-valuenow")])).toEqual([
    ["studio-1", "Loaded", "100"],
    ["mbp", "Downloading 20%", "21"],
  ]);
  expect(lines.map((one) => one.querySelector(".waits") !== null)).toEqual([false, true]);
});

test("the last hour is drawn while all is well, and folds away for a notice or a load", () => {
  page("serving");
  expect(document.querySelector(".spark")?.getAttribute("aria-label")).toMatch(/^Tokens per second, last hour: now 25, peak \d+$/);
  close();
  for (const name of ["stalled", "loading", "attention"]) {
    page(name);
    expect(document.querySelector(".spark"), name).toBeNull();
    close();
  }
});

test("a Mac that left is a row of its own", () => {
  page("mac-left");
  const macs = document.querySelector("[aria-label=Macs]")?.textContent;
  expect(macs).toContain("3 of 4");
  expect(macs).toContain("seen 11 min ago");
  expect(macs, "only exo remembers it").not.toContain("old-mini");
});

test("the settings open by their button and by their key", () => {
  const openSettings = vi.fn(() => Promise.resolve());
  page("serving", { openSettings });
  press("Settings");
  window.dispatchEvent(new KeyboardEvent("keydown", { key: ",", metaKey: true }));
  expect(openSettings).toHaveBeenCalledTimes(2);
});

test("the code of a sign-in is large, spelled for whoever hears it, and says which Mac it connects", () => {
  page("signing-in-window");
  expect(document.querySelector(".code-text [aria-hidden]")?.textContent).toBe("WDJB-MJHT");
  expect(document.querySelector(".code-text .vh")?.textContent).toBe("W D J B, M J H T");
  expect(document.querySelector(".signing")?.textContent).toContain("You are connecting this Mac: studio-1");
  expect(document.querySelector(".signing")?.textContent).toContain("with studio-2 and mbp, as one node");
});

test("the browser is always a way to sign in", () => {
  for (const name of ["signing-in", "signing-in-window", "signing-in-failed"]) {
    const signIn = vi.fn(() => Promise.resolve());
    page(name, { signIn });
    press("Open in the browser instead");
    expect(signIn, name).toHaveBeenCalledWith(true);
    close();
  }
});

test("where exo is away, its Macs' memory is not known, and one button looks again", () => {
  const { sent } = page("no-engine");
  expect(document.querySelector(".memory")?.textContent).toContain("Not known");
  press("Check again");
  expect(sent).toEqual([{ command: "nudge" }]);
});

test("the endpoint is copied, and said so for two seconds", async () => {
  vi.useFakeTimers();
  const copyEndpoint = vi.fn(() => Promise.resolve());
  page("serving", { copyEndpoint });
  press("Copy the endpoint for clients");
  await vi.advanceTimersByTimeAsync(1);
  flushSync();
  const foot = () => document.querySelector(".foot .grow")?.textContent;
  const heard = () => document.querySelector(".foot [role=status]")?.textContent;
  expect(copyEndpoint).toHaveBeenCalledOnce();
  expect(foot()).toBe("Copied");
  expect(heard()).toBe("Copied");
  await vi.advanceTimersByTimeAsync(2000);
  flushSync();
  expect(foot()).toBe("hub.example.net/v1");
  expect(heard(), "the address is there to be read, and not said").toBe("");
  vi.useRealTimers();
});

test("who does not see the page hears of a state that lasts, and of a Mac that is lost", async () => {
  vi.useFakeTimers();
  let show: (scene: Scene) => void = () => undefined;
  page("serving", {
    watch: (onScene) => {
      show = onScene;
      onScene(scene());
    },
  });
  const heard = () => document.querySelector("p.vh[role=status]")?.textContent;
  const next = async (what: Scene, ms: number) => {
    show(what);
    flushSync();
    await vi.advanceTimersByTimeAsync(ms);
    flushSync();
  };
  await next(scene({ overall: { state: "connecting" } }), 1900);
  await next(scene(), 3000);
  expect(heard(), "a blink").toBe("");
  await next(scene({ overall: { state: "needs_you" } }), 2000);
  expect(heard()).toBe("Action needed");
  const members = scene().snapshot?.cluster?.members.map((mac, n) => (n === 1 ? { ...mac, state: { state: "late" as const, since: ago(20) } } : mac));
  await next(scene({ cluster: { freshness: { state: "fresh" }, absent: [], members: members ?? [] } }), 2000);
  expect(heard(), "both at once").toBe("Serving. studio-2 stopped responding.");
  await next(scene(), 0);
  expect(heard(), "the state is calm").toBe("studio-2 is back.");
  await next(scene(), 5000);
  expect(heard(), "so that the same can be said again").toBe("");
  vi.useRealTimers();
});

test("without an agent the sentence stands alone", () => {
  page("trouble");
  expect(document.body.textContent).toContain("PORTEN_HUB_URL=htp://hub");
  expect(document.querySelectorAll(".section, .memory").length).toBe(0);
});

test("every story is drawn", { timeout: MANY_PAGES }, () => {
  for (const name of Object.keys(stories)) {
    page(name);
    expect(document.querySelector("[role=dialog] h1")?.textContent, name).not.toBe("");
    close();
  }
});
