// The one door to the host: what the page sees and what it may ask for.
import { Channel, invoke, isTauri } from "@tauri-apps/api/core";

import type { Command } from "./bindings/Command";
import type { Declined } from "./bindings/Declined";
import type { EngineTest } from "./bindings/EngineTest";
import type { Scene } from "./bindings/Scene";
import type { SettingsView } from "./bindings/SettingsView";

/** What both pages may do. */
interface Door {
  /** Each scene, whole; the first at once. */
  watch(onScene: (scene: Scene) => void): void;
  /** Rejects with a {@link Declined}. */
  send(command: Command): Promise<void>;
  /** Begins a sign-in; with `browser`, in the person's own browser. */
  signIn(browser: boolean): Promise<void>;
}

/** The popover's. */
export interface Host extends Door {
  cancelSignIn(): Promise<void>;
  /** Rejects with a sentence. */
  copyEndpoint(): Promise<void>;
  openSettings(): Promise<void>;
  hide(): Promise<void>;
  quit(): Promise<void>;
  /** The content is so high (px). */
  fit(height: number): Promise<void>;
}

/** Which of the system's own settings. */
export type Pane = "login" | "notifications";

/** The settings window's. Where something may be refused, it rejects with a sentence. */
export interface SettingsHost extends Door {
  settings(): Promise<SettingsView>;
  /** `null` takes a setting back. */
  setSetting(key: string, value: string | null): Promise<SettingsView>;
  testEngine(url: string): Promise<EngineTest>;
  setOpenAtLogin(on: boolean): Promise<SettingsView>;
  openSystemSettings(pane: Pane): Promise<void>;
}

const door: Door = {
  watch(onScene) {
    void invoke("watch", { channel: new Channel<Scene>(onScene) });
  },
  send: (command) => invoke("send", { command }),
  signIn: (browser) => invoke("sign_in", { browser }),
};

/** The menu-bar app, if the popover's page is in it. */
export function tauriHost(): Host | undefined {
  if (!isTauri()) return undefined;
  return {
    ...door,
    cancelSignIn: () => invoke("cancel_sign_in"),
    copyEndpoint: () => invoke("copy_endpoint"),
    openSettings: () => invoke("open_settings"),
    hide: () => invoke("hide"),
    quit: () => invoke("quit"),
    fit: (height) => invoke("fit", { height }),
  };
}

/** The menu-bar app, if the settings' page is in it. */
export function tauriSettings(): SettingsHost | undefined {
  if (!isTauri()) return undefined;
  return {
    ...door,
    settings: () => invoke("settings"),
    setSetting: (key, value) => invoke("set_setting", { key, value }),
    testEngine: (url) => invoke("test_engine", { url }),
    setOpenAtLogin: (on) => invoke("set_open_at_login", { on }),
    openSystemSettings: (pane) => invoke("open_system_settings", { pane }),
  };
}

/** What a promise of a host rejects with, as a sentence. */
export function sentenceOf(error: unknown): string {
  if (typeof error === "string") return error;
  const text = (error as Partial<Declined> | null)?.text;
  return text ?? "The app did not answer; quit Porten and open it again.";
}
