// Tells a story in a plain browser: the page as the app shows it, over a scene that stands still but for the switches.
import { flushSync, mount } from "svelte";

import App from "../App.svelte";
import type { Declined } from "../bindings/Declined";
import type { Scene } from "../bindings/Scene";
import type { Host } from "../host";
import { NOW, stories } from "./index";

/** Links to each story, where none was named. */
export function list(target: HTMLElement, names: string[]) {
  const links = document.createElement("ul");
  for (const name of names) {
    const link = document.createElement("a");
    link.href = `?story=${name}`;
    link.textContent = name;
    links.appendChild(document.createElement("li")).appendChild(link);
  }
  target.append(links);
}

export function tell(target: HTMLElement) {
  const name = new URL(location.href).searchParams.get("story") ?? "";
  const scene = stories[name];
  if (!scene) {
    list(target, Object.keys(stories));
    return;
  }
  const host = teller(scene);
  // What was asked of the host, to be looked at from outside.
  for (const what of ["hide", "quit", "openSettings", "copyEndpoint"] as const) {
    const ask = host[what];
    host[what] = () => {
      target.dataset.asked = what;
      return ask();
    };
  }
  // Where every wish is declined, the first is made at once.
  const declines: Host = { ...host, send: () => Promise.reject(DECLINED) };
  mount(App, { target, props: { host: name === "declined" ? declines : host, at: NOW } });
  flushSync();
  // What opens in place is looked at open.
  if (name === "why-no-requests" || name === "every-reason") document.querySelector<HTMLElement>("[aria-expanded].link")?.click();
  if (name === "steps") document.querySelector<HTMLElement>(".opens")?.click();
  if (name === "more" || name === "quit-now") document.querySelector<HTMLElement>(".foot [aria-expanded]")?.click();
  if (name === "declined") for (const one of document.querySelectorAll<HTMLElement>("[role=switch]")) one.click();
}

const DECLINED: Declined = { code: "not_kept", text: "The wish could not be kept: the disk is full. Free some space and try again." };

/** A host over one scene: what is wanted changes at once, what is stays; a sign-in goes as far as it can alone. */
export function teller(first: Scene): Host {
  let scene = structuredClone(first);
  let show: (scene: Scene) => void = () => undefined;
  const done = () => Promise.resolve();
  const change = (how: (next: Scene) => void) => {
    scene = structuredClone(scene);
    how(scene);
    show(scene);
    return done();
  };
  return {
    watch(onScene) {
      show = onScene;
      show(scene);
      // From outside a story goes on: `new CustomEvent("scene", { detail: (scene) => … })`, or the name of another story.
      addEventListener("scene", ({ detail }: CustomEventInit<string | ((scene: Scene) => void)>) => {
        void change((next) => (typeof detail === "string" ? Object.assign(next, stories[detail]) : detail?.(next)));
      });
    },
    send(command) {
      return change(({ snapshot }) => {
        if (!snapshot) return;
        if (command.command === "set_model") {
          for (const model of snapshot.models) if (model.id === command.id) model.wanted = command.on;
        } else if (command.command === "set_online") {
          snapshot.overall = command.online ? { state: "connecting" } : { state: "finishing", requests: snapshot.traffic.in_flight };
          snapshot.headline = null;
          snapshot.online = command.online;
          if (command.online) snapshot.hub.link = { state: "connecting" };
        } else if (command.command === "pause") {
          const { pause } = command;
          snapshot.pause = pause && { pause, rests: pause.how === "until", cannot: null };
          if (pause?.how === "until") snapshot.overall = { state: "paused", until: pause.until };
          else if (snapshot.overall.state === "paused") {
            snapshot.overall = { state: "connecting" };
            snapshot.headline = null;
          }
        }
      });
    },
    signIn: (browser) =>
      change((next) => {
        next.sign_in = browser
          ? { state: "browser", code: "WDJB-MJHT", url: "https://hub.example.net/device", elsewhere: null, slower: null }
          : { state: "window", code: "WDJB-MJHT", slower: null };
      }),
    cancelSignIn: () =>
      change((next) => {
        next.sign_in = { state: "idle" };
      }),
    copyEndpoint: done,
    openSettings: done,
    hide: done,
    quit: done,
    fit: done,
  };
}
