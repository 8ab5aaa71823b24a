/** The one door to the program behind the page: what it shows, and what a person asks of it. */

import { Channel, invoke } from '@tauri-apps/api/core';

import type { Command } from '../bindings/Command';
import type { Scene } from '../bindings/Scene';

/**
 * Whoever hosts the page. Each call resolves once the host took it, and rejects with something that
 * `readDeclined` reads where it did not.
 */
export interface Host {
  /** From now on each scene that differs, the first at once. A new call replaces the old. */
  watch(onScene: (scene: Scene) => void): Promise<void>;
  /** One thing for the agent to do. */
  send(command: Command): Promise<void>;
  /** Starts a sign-in: in a window of the host, or in the person's browser. `Scene.sign_in` says how it goes. */
  signIn(browser: boolean): Promise<void>;
  /** Ends the sign-in that is under way. */
  cancelSignIn(): Promise<void>;
  /** Puts a text on the clipboard. */
  copy(text: string): Promise<void>;
  /** Hides the popover. */
  hide(): Promise<void>;
  /** Ends the program. */
  quit(): Promise<void>;
  /** How high the content is (CSS pixels), for the window to follow. */
  fit(height: number): Promise<void>;
}

/** The menu-bar app. */
export const tauriHost: Host = {
  watch: (onScene) => {
    const scenes = new Channel<Scene>();
    scenes.onmessage = onScene;
    return invoke('watch', { scenes });
  },
  send: (command) => invoke('send', { command }),
  signIn: (browser) => invoke('sign_in', { browser }),
  cancelSignIn: () => invoke('cancel_sign_in'),
  copy: (text) => invoke('copy', { text }),
  hide: () => invoke('hide'),
  quit: () => invoke('quit'),
  fit: (height) => invoke('fit', { height }),
};
