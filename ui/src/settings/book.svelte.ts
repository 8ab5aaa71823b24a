// The settings as the host tells them, with what a person wishes and what was refused.
import type { SettingsView } from "../bindings/SettingsView";
import type { SettingView } from "../bindings/SettingView";
import type { SettingsHost } from "../host";
import { sentenceOf } from "../host";

/** Where a wish about opening at login is kept beside those about settings. */
export const LOGIN = "login";

export class Book {
  view: SettingsView | null = $state.raw(null);
  /** Why there is no view. */
  trouble = $state("");
  /** Why the last change of each was refused. */
  refused: Record<string, string | undefined> = $state({});
  /** What is wished of each, until the host has said what holds. */
  wished: Record<string, string | null | undefined> = $state({});
  readonly #host: SettingsHost;
  /** One after the other, so that the last answer is the newest. */
  #line: Promise<unknown> = Promise.resolve();

  constructor(host: SettingsHost) {
    this.#host = host;
  }

  read(): Promise<void> {
    return this.#next(async () => {
      try {
        this.view = await this.#host.settings();
        this.trouble = "";
      } catch (error) {
        this.trouble = sentenceOf(error);
      }
    });
  }

  setting(key: string): SettingView {
    return this.view?.settings.find((one) => one.key === key) ?? { key, value: null, origin: { from: "default" } };
  }

  /** What is wanted: the wish, else what holds. */
  wanted(key: string): string | null {
    const wish = this.wished[key];
    return wish === undefined ? this.setting(key).value : wish;
  }

  /** `null` takes it back. Whether it was taken. */
  set(key: string, value: string | null): Promise<boolean> {
    return this.#change(key, value, () => this.#host.setSetting(key, value));
  }

  openAtLogin(on: boolean): Promise<boolean> {
    return this.#change(LOGIN, String(on), () => this.#host.setOpenAtLogin(on));
  }

  #change(key: string, value: string | null, ask: () => Promise<SettingsView>): Promise<boolean> {
    this.wished[key] = value;
    this.refused[key] = undefined;
    return this.#next(async () => {
      try {
        this.view = await ask();
        // A later wish stands until its own answer.
        if (this.wished[key] === value) this.wished[key] = undefined;
        return true;
      } catch (error) {
        this.refused[key] = sentenceOf(error);
        return false;
      }
    });
  }

  #next<T>(what: () => Promise<T>): Promise<T> {
    const done = this.#line.then(what);
    this.#line = done;
    return done;
  }
}
