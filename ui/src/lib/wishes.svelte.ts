/**
 * What a person has just asked for, until a scene shows it or it is declined: so that a switch moves at once.
 *
 * asked ──answered──► settled ──next scene──► gone
 *   │ └──a scene agrees───────────────────────► gone
 *   └──declined──► gone, and the sentence is shown
 */

import { SvelteMap } from 'svelte/reactivity';

interface Wish {
  wanted: boolean;
  settled: boolean;
}

export class Wishes {
  readonly #open = new SvelteMap<string, Wish>();

  /** What the switch shows: the wish while there is one, else what the scene says. */
  shown(key: string, wanted: boolean): boolean {
    return this.#open.get(key)?.wanted ?? wanted;
  }

  /** Holds `wanted` until `answer` and the scene after it; rejects as `answer` does. */
  async make(key: string, wanted: boolean, answer: Promise<void>): Promise<void> {
    const wish: Wish = { wanted, settled: false };
    this.#open.set(key, wish);
    try {
      await answer;
      wish.settled = true;
    } catch (reason) {
      // A later wish for the same thing stands on its own.
      if (this.#open.get(key) === wish) this.#open.delete(key);
      throw reason;
    }
  }

  /** A scene came: it is the truth about what was answered before it. `wanted` says what it shows for a key. */
  see(wanted: (key: string) => boolean | undefined): void {
    for (const [key, wish] of this.#open) {
      if (wish.settled || wanted(key) === wish.wanted) this.#open.delete(key);
    }
  }
}
