// The one door to the host: what the page sees and what it may ask for.
import { Channel, invoke, isTauri } from "@tauri-apps/api/core";

import type { Command } from "./bindings/Command";
import type { Declined } from "./bindings/Declined";
import type { Scene } from "./bindings/Scene";

export interface Host {
  /** Each scene, whole; the first at once. */
  watch(onScene: (scene: Scene) => void): void;
  /** Rejects with a {@link Declined}. */
  send(command: Command): Promise<void>;
  /** Begins a sign-in; with `browser`, in the person's own browser. */
  signIn(browser: boolean): Promise<void>;
  cancelSignIn(): Promise<void>;
  /** Rejects with a sentence. */
  copyEndpoint(): Promise<void>;
  hide(): Promise<void>;
  quit(): Promise<void>;
  /** The content is so high (px). */
  fit(height: number): Promise<void>;
}

/** The menu-bar app, if the page is in it. */
export function tauriHost(): Host | undefined {
  if (!isTauri()) return undefined;
  return {
    watch(onScene) {
      void invoke("watch", { channel: new Channel<Scene>(onScene) });
    },
    send: (command) => invoke("send", { command }),
    signIn: (browser) => invoke("sign_in", { browser }),
    cancelSignIn: () => invoke("cancel_sign_in"),
    copyEndpoint: () => invoke("copy_endpoint"),
    hide: () => invoke("hide"),
    quit: () => invoke("quit"),
    fit: (height) => invoke("fit", { height }),
  };
}

/** What a promise of {@link Host} rejects with, as a sentence. */
export function sentenceOf(error: unknown): string {
  if (typeof error === "string") return error;
  const text = (error as Partial<Declined> | null)?.text;
  return text ?? "The app did not answer; quit Porten and open it again.";
}
