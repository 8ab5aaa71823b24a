// Every moment of the settings page that is worth a picture.
import { flushSync, mount } from "svelte";

import type { LoginView } from "../bindings/LoginView";
import type { Origin } from "../bindings/Origin";
import type { Scene } from "../bindings/Scene";
import type { SettingsView } from "../bindings/SettingsView";
import type { SettingView } from "../bindings/SettingView";
import type { Snapshot } from "../bindings/Snapshot";
import type { SettingsHost } from "../host";
import Settings from "../Settings.svelte";
import { stories } from "./index";
import { mac, NOW, scene, snapshot } from "./make";
import { list, teller } from "./tell";

const FILE = "~/Library/Application Support/Porten/config.toml";
export const REFUSED = "memory.budget_mb is \"9999999999\"; write a whole number from 1 to 2147483648.";
export const FULL = `${FILE} cannot be written (the disk is full); the setting is as it was.`;
const LOCKED: Record<string, [string, string]> = {
  "hub.url": ["wss://hub.example.net", "PORTEN_HUB_URL"],
  "engine.url": ["http://localhost:52415", "PORTEN_ENGINE_URL"],
  "engine.models": ["deepseek-v4-flash,qwen3-coder-next,minimax-m2.7", "PORTEN_ENGINE_MODELS"],
  "memory.budget_mb": ["450560", "PORTEN_VRAM_BUDGET_MB"],
};
const HOLDS: Record<string, string | null> = {
  "hub.url": "wss://hub.example.net",
  "engine.kind": null,
  "engine.url": null,
  "engine.models": null,
  "engine.free_after_minutes": null,
  "memory.budget_mb": null,
  "power.keep_awake": "true",
  "notify.needs_you": "true",
  "notify.cluster": "true",
  "notify.models": "false",
};

export interface Story {
  scene: Scene;
  view: SettingsView;
  /** Whether every change is refused. */
  refuses?: boolean;
}

function settings(more: Record<string, [string, Origin]> = {}, login: LoginView = { state: "on" }): SettingsView {
  const rows = Object.entries(HOLDS).map(([key, value]): SettingView => {
    const said = more[key];
    const found = key.startsWith("engine") && value === null;
    return said ? { key, value: said[0], origin: said[1] } : { key, value, origin: { from: found ? "found" : "default" } };
  });
  return {
    settings: rows,
    file: FILE,
    login,
    kept: [
      { what: "Sign-in", place: "the Keychain" },
      { what: "Settings", place: FILE },
      { what: "Wishes and what was placed", place: "~/Library/Application Support/Porten" },
      { what: "Lock and socket", place: "~/.porten/run" },
      { what: "Log", place: "Standard error of the program; no file" },
    ],
  };
}

const locked = Object.fromEntries(Object.entries(LOCKED).map(([key, [value, name]]): [string, [string, Origin]] => [key, [value, { from: "environment", name }]]));
const FIXED: Record<string, [string, Origin]> = { "memory.budget_mb": ["450560", { from: "file", name: FILE }] };
const set = (by: Origin): Partial<Snapshot> => ({ memory: { ...snapshot().memory, set_by: by, advertised_mib: 450_560, origin: "set" } });
const LIMITS: Partial<Snapshot> = {
  cluster: {
    freshness: { state: "fresh" },
    absent: [],
    members: [
      mac("studio-1", 256, { this_mac: true, link: null, usable_origin: "read" }),
      mac("studio-2", 256, { usable_origin: "told" }),
      mac("mbp", 128, { chip: "Apple M5 Max" }),
    ],
  },
};
const of = (name: string) => {
  const found = stories[name];
  if (!found) throw new Error(`there is no story ${name}`);
  return found;
};

export const moments: Record<string, Story> = {
  settings: { scene: scene({ ...LIMITS, ...set({ from: "file", name: FILE }) }), view: settings(FIXED) },
  "settings-automatic": { scene: scene(LIMITS), view: settings({ "engine.free_after_minutes": ["45", { from: "file", name: FILE }] }) },
  "settings-locked": { scene: scene({ ...LIMITS, engine: { ...snapshot().engine, origin: { from: "environment", name: "PORTEN_ENGINE_URL" } }, ...set({ from: "environment", name: "PORTEN_VRAM_BUDGET_MB" }) }), view: settings(locked) },
  "settings-refused": { scene: scene({ ...LIMITS, ...set({ from: "file", name: FILE }) }), view: settings(FIXED), refuses: true },
  "settings-signed-out": { scene: of("signed-out"), view: settings() },
  "settings-signing-in": { scene: of("signing-in-browser"), view: settings() },
  "settings-signing-out": { scene: scene(LIMITS), view: settings() },
  "settings-login-off": { scene: scene(), view: settings({}, { state: "switched_off" }) },
  "settings-login-refused": {
    scene: scene({ awake: { state: "refused", why: "macOS does not let Porten keep this Mac awake (IOKit's error 0xe00002c2); set it in System Settings, Energy" } }),
    view: settings({}, { state: "refused", why: "Porten runs from a disk image, which is not there at the next login; move it to Applications, open it there, and switch this on then." }),
  },
  "settings-on-battery": { scene: scene({ awake: { state: "on_battery" } }), view: settings() },
  "settings-six-macs": { scene: of("six-macs"), view: settings() },
  "settings-long-names": { scene: of("long-names"), view: settings() },
  "settings-no-engine": { scene: of("no-engine"), view: settings() },
  "settings-paused": { scene: of("paused"), view: settings() },
  "settings-trouble": { scene: of("trouble"), view: settings() },
};

/** A host over one story: what is set holds at once, unless all is refused. */
export function settingsTeller({ scene: first, view: begun, refuses }: Story): SettingsHost {
  const over = teller(first);
  let view = begun;
  const changed = (next: SettingsView, key = "") => {
    if (refuses) return Promise.reject(key === "memory.budget_mb" ? REFUSED : FULL);
    view = next;
    return Promise.resolve(view);
  };
  return {
    watch: over.watch,
    send: over.send,
    signIn: over.signIn,
    settings: () => Promise.resolve(view),
    setSetting: (key, value) =>
      changed({ ...view, settings: view.settings.map((one) => (one.key === key ? { key, value, origin: value === null ? { from: "default" } : { from: "file", name: FILE } } : one)) }, key),
    testEngine: (url) =>
      Promise.resolve({ url, answers: true, text: `exo answers at ${url || "http://localhost:52415"} and lists 3 models, in 12 ms.`, models: ["deepseek-v4-flash"] }),
    setOpenAtLogin: (on) => changed({ ...view, login: { state: on ? "on" : "off" } }),
    openSystemSettings: () => Promise.resolve(),
  };
}

const settled = () => new Promise((next) => setTimeout(next, 0));

export async function tellSettings(target: HTMLElement) {
  const name = new URL(location.href).searchParams.get("story") ?? "";
  const story = moments[name];
  if (!story) {
    list(target, Object.keys(moments));
    return;
  }
  mount(Settings, { target, props: { host: settingsTeller(story), at: NOW } });
  flushSync();
  await settled();
  // What opens in place is looked at open.
  const press = (words: string) => [...document.querySelectorAll<HTMLElement>("button")].find((one) => one.textContent === words)?.click();
  if (name === "settings") press("Test");
  if (name === "settings-automatic") [...document.querySelectorAll<HTMLElement>("button")].findLast((one) => one.textContent === "Enter…")?.click();
  if (name === "settings-signing-out") press("Sign out…");
  if (name === "settings-refused") {
    type("Budget in GB", "9765624");
    document.querySelector<HTMLElement>("[role=switch][aria-label='Keep awake while serving']")?.click();
  }
  await settled();
  flushSync();
  target.dataset.told = name;
}

/** Writes into the field of this label, as a person would. */
export function type(label: string, text: string) {
  const box = document.querySelector<HTMLInputElement>(`input[aria-label='${label}']`);
  if (!box) throw new Error(`there is no field ${label}`);
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.dispatchEvent(new Event("change", { bubbles: true }));
  flushSync();
}
