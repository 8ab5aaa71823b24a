import { flushSync, mount, unmount } from "svelte";
import { afterEach, expect, test, vi } from "vitest";

import type { Command } from "./bindings/Command";
import type { SettingsHost } from "./host";
import Settings from "./Settings.svelte";
import { consequence, mib } from "./settings/says";
import { NOW, snapshot } from "./stories/make";
import { FULL, moments, REFUSED, settingsTeller, type } from "./stories/settings";

let open: (() => void) | undefined;
afterEach(() => {
  open?.();
  open = undefined;
});

async function settle() {
  await new Promise((next) => setTimeout(next, 0));
  flushSync();
}

/** The page over a story, and what it asked of the host. */
async function page(name: string, more: Partial<SettingsHost> = {}) {
  const story = moments[name];
  if (!story) throw new Error(`there is no story ${name}`);
  const sent: Command[] = [];
  const set: [string, string | null][] = [];
  const over = settingsTeller(story);
  const host: SettingsHost = {
    ...over,
    send: (command) => {
      sent.push(command);
      return over.send(command);
    },
    setSetting: (key, value) => {
      set.push([key, value]);
      return over.setSetting(key, value);
    },
    ...more,
  };
  const app = mount(Settings, { target: document.body, props: { host, at: NOW } });
  open = () => void unmount(app);
  flushSync();
  await settle();
  return { sent, set };
}

const named = (one: Element) => one.getAttribute("aria-label") ?? one.textContent;

function find(name: string): HTMLButtonElement {
  const all = [...document.querySelectorAll<HTMLButtonElement>("button")];
  const found = all.find((one) => named(one) === name || one.textContent === name);
  if (!found) throw new Error(`there is no ${name} among ${all.map(named).join(", ")}`);
  return found;
}

async function press(name: string) {
  find(name).click();
  await settle();
}

/** The row of this name in the section of that. */
function row(section: string, name: string): HTMLElement {
  const group = [...document.querySelectorAll("section")].find((one) => one.querySelector("h2")?.textContent === section);
  const found = [...(group?.querySelectorAll<HTMLElement>(".set[role=group]") ?? [])].find((one) => one.querySelector(".text > span")?.textContent === name);
  if (!found) throw new Error(`there is no row ${name} in ${section}`);
  return found;
}

const field = (label: string) => document.querySelector<HTMLInputElement>(`input[aria-label='${label}']`);

test("a value of the environment shows a lock and its name, and nothing to change it with", async () => {
  await page("settings-locked");
  for (const [section, name, by, value] of [
    ["Hub", "Address", "PORTEN_HUB_URL", "hub.example.net"],
    ["Engine", "Address", "PORTEN_ENGINE_URL", "http://localhost:52415"],
    ["Engine", "Models that may be served", "PORTEN_ENGINE_MODELS", "3 models"],
    ["Memory", "Budget", "PORTEN_VRAM_BUDGET_MB", "440 GB"],
  ] as const) {
    const it = row(section, name);
    expect(it.textContent).toContain(`Set by ${by}`);
    expect(it.querySelector(".val")?.textContent, name).toBe(value);
    expect(it.querySelector(".lock"), name).not.toBeNull();
    expect(it.querySelectorAll("button, input").length, name).toBe(0);
  }
});

test("a change that is refused says why under its row, and the field keeps what was typed", async () => {
  const { set } = await page("settings-refused");
  type("Budget in GB", "9765624");
  await settle();
  expect(set).toEqual([["memory.budget_mb", String(9765624 * 1024)]]);
  expect(row("Memory", "Budget").querySelector("[role=alert]")?.textContent).toBe(REFUSED);
  expect(field("Budget in GB")?.value).toBe("9765624");
  type("The engine’s address", "http://nowhere");
  await press("Save");
  expect(row("Engine", "Address").querySelector("[role=alert]")?.textContent).toBe(FULL);
  expect(field("The engine’s address")?.value).toBe("http://nowhere");
  await press("Change the Hub’s address");
  type("The Hub’s address", "wss://other.example.net");
  field("The Hub’s address")?.form?.requestSubmit();
  await settle();
  expect(row("Hub", "Address").querySelector("[role=alert]")?.textContent).toBe(FULL);
  expect(field("The Hub’s address")?.value).toBe("wss://other.example.net");
});

test("what is no amount is not sent", async () => {
  const { set } = await page("settings");
  type("Budget in GB", "much");
  await settle();
  expect(set).toEqual([]);
  expect(row("Memory", "Budget").querySelector("[role=alert]")?.textContent).toBe("Write a number of GB, such as 440.");
  expect([mib("440"), mib("97.5 GB"), mib("1,920"), mib("0"), mib("")]).toEqual([450_560, 99_840, 1_966_080, null, null]);
});

test("opening at login says what is true", async () => {
  const openSystemSettings = vi.fn(() => Promise.resolve());
  await page("settings-login-off", { openSystemSettings });
  const it = () => row("General", "Open at login");
  expect(it().textContent).toContain("Needs your approval in System Settings");
  expect(find("Open at login").getAttribute("aria-checked"), "it was asked for").toBe("true");
  await press("Open System Settings");
  expect(openSystemSettings).toHaveBeenCalledWith("login");
  await press("Open at login");
  expect(it().querySelector(".sub")?.textContent).toBe("Off");
  expect(it().textContent).not.toContain("Open System Settings");
  await press("Open at login");
  expect(it().querySelector(".sub")?.textContent).toBe("Allowed by macOS");
});

test("where it cannot be opened at login, it says why", async () => {
  await page("settings-login-refused");
  expect(row("General", "Open at login").textContent).toContain("move it to Applications");
  expect(find("Open at login").disabled).toBe(true);
  expect(row("General", "Keep awake while serving").textContent).toContain("macOS does not let Porten keep this Mac awake");
});

test("on battery it says that this Mac may sleep", async () => {
  await page("settings-on-battery");
  expect(row("General", "Keep awake while serving").textContent).toContain("On battery: this Mac may sleep");
});

test("what System Settings cannot be opened for is said under the row it was asked from", async () => {
  await page("settings-login-off", { openSystemSettings: () => Promise.reject("Open them yourself.") });
  await press("Open System Settings");
  expect(row("General", "Open at login").querySelector("[role=alert]")?.textContent).toBe("Open them yourself.");
});

test("each rest sends its own command, and Resume ends it", async () => {
  const { sent } = await page("settings");
  await press("For 1 hour");
  expect(row("General", "Pause").textContent).toContain("Paused until 15:04");
  await press("Resume");
  await press("Until tomorrow");
  await press("Resume");
  await press("While I use this Mac");
  expect(sent).toEqual([
    { command: "pause", pause: { how: "until", until: "2026-11-25T15:04:00.000Z" } },
    { command: "pause", pause: null },
    { command: "pause", pause: { how: "until", until: "2026-11-26T08:00:00.000Z" } },
    { command: "pause", pause: null },
    { command: "pause", pause: { how: "while_in_use" } },
  ]);
  expect(row("General", "Pause").textContent).toContain("Serving now, paused while you use this Mac");
});

test("whoever is not online has nothing to pause", async () => {
  await page("settings-signed-out");
  expect(find("For 1 hour").disabled).toBe(true);
  expect(row("General", "Pause").textContent).toContain("Nothing to pause");
});

test("a budget says what it comes to", () => {
  const memory = { ...snapshot().memory, schedulable_mib: 480 * 1024, advertised_mib: 440 * 1024, origin: "set" as const };
  expect(consequence(memory, null)).toBe("The Hub is told 440 GB. The GPUs can use about 480 GB; 40 GB stays yours.");
  expect(consequence(memory, 500 * 1024)).toBe("The Hub will be told 500 GB. The GPUs can use about 480 GB: 20 GB too much.");
  expect(consequence(memory, 480 * 1024)).toBe("The Hub will be told 480 GB. The GPUs can use about 480 GB, and nothing stays yours.");
  expect(consequence({ ...memory, origin: "known" }, null)).toBe("The Hub is told 440 GB, all that the GPUs can use.");
  expect(consequence({ ...memory, missing_mib: 1024 }, null)).toContain("Less the share of the Macs that are offline.");
  expect(consequence({ ...memory, origin: "unknown" }, null)).toContain("Nothing is told to the Hub");
});

test("a fixed budget begins with what holds, and Automatic takes it back", async () => {
  const { set } = await page("settings-automatic");
  expect(field("Budget in GB")).toBeNull();
  await press("Fixed");
  expect(set).toEqual([["memory.budget_mb", "491520"]]);
  expect(field("Budget in GB")?.value).toBe("480");
  type("Budget in GB", "400");
  await settle();
  await press("Automatic");
  expect(set.slice(1)).toEqual([["memory.budget_mb", "409600"], ["memory.budget_mb", null]]);
});

test("the limit of a Mac is told in GB, and taken back", async () => {
  const { sent } = await page("settings");
  expect(row("Wired limit", "studio-1").querySelector("button"), "it is read there").toBeNull();
  await press("Enter the limit of mbp");
  expect(field("Limit of mbp in GB")?.value).toBe("96");
  type("Limit of mbp in GB", "112");
  field("Limit of mbp in GB")?.form?.requestSubmit();
  await settle();
  await press("Take back the limit of studio-2");
  expect(sent).toEqual([
    { command: "tell_limit", mac: "mbp", mib: 114_688 },
    { command: "tell_limit", mac: "studio-2", mib: null },
  ]);
  expect(field("Limit of mbp in GB")).toBeNull();
});

test("a limit that is declined says why, and keeps what was typed", async () => {
  await page("settings", { send: () => Promise.reject({ code: "unknown_mac", text: "No Mac is called mbp." }) });
  await press("Enter the limit of mbp");
  type("Limit of mbp in GB", "112");
  field("Limit of mbp in GB")?.form?.requestSubmit();
  await settle();
  expect(row("Wired limit", "mbp").querySelector("[role=alert]")?.textContent).toBe("No Mac is called mbp.");
  expect(field("Limit of mbp in GB")?.value).toBe("112");
});

test("the arrows choose when an idle model is unloaded", async () => {
  const { set } = await page("settings");
  const group = document.querySelector("[role=radiogroup][aria-label='Unload an idle model after']");
  expect([...(group?.querySelectorAll("[role=radio]") ?? [])].map((one) => [one.textContent, one.getAttribute("tabindex")])).toEqual([["Never", "0"], ["10 min", "-1"], ["30 min", "-1"], ["1 hour", "-1"]]);
  group?.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }));
  await settle();
  expect(document.activeElement?.textContent).toBe("10 min");
  await press("Never");
  expect(set).toEqual([["engine.free_after_minutes", "10"], ["engine.free_after_minutes", null]]);
});

test("a test of the engine's address says what answers there", async () => {
  const asked: string[] = [];
  await page("settings", {
    testEngine: (url) => {
      asked.push(url);
      return Promise.resolve({ url, answers: false, text: "Nothing answers at localhost:1.", models: [] });
    },
  });
  type("The engine’s address", "http://localhost:1");
  await press("Test");
  expect(asked).toEqual(["http://localhost:1"]);
  expect(row("Engine", "Address").querySelector("[role=status]")?.textContent).toContain("Nothing answers at localhost:1.");
});

test("signing out asks once more, and Esc stays", async () => {
  const { sent } = await page("settings");
  await press("Sign out…");
  expect(document.activeElement?.textContent).toBe("Stay");
  const esc = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true });
  document.activeElement?.dispatchEvent(esc);
  await settle();
  expect(esc.defaultPrevented, "the window stays open").toBe(true);
  expect(document.activeElement?.textContent).toBe("Sign out…");
  expect(sent).toEqual([]);
  await press("Sign out…");
  await press("Sign out");
  expect(sent).toEqual([{ command: "sign_out" }]);
});

test("whoever is signed out signs in here", async () => {
  const signIn = vi.fn(() => Promise.resolve());
  await page("settings-signed-out", { signIn });
  expect(row("Hub", "Account").textContent).toContain("Signed out");
  await press("Sign in…");
  expect(signIn).toHaveBeenCalledWith(false);
});

test("notifications are switched one by one", async () => {
  const { set } = await page("settings");
  await press("Models");
  await press("When something needs you");
  expect(set).toEqual([["notify.models", "true"], ["notify.needs_you", "false"]]);
});

test("settings that cannot be read say why", async () => {
  await page("settings", { settings: () => Promise.reject("config.toml is no TOML.") });
  expect(document.querySelector("[role=alert]")?.textContent).toBe("config.toml is no TOML.");
  expect(document.querySelectorAll("section").length).toBe(0);
});
