// Wires the settings page: the host's scenes and settings in, a person's wishes out.
import { mount } from "svelte";

import { tauriSettings } from "./host";
import "./porten.css";
import Settings from "./Settings.svelte";

const host = tauriSettings();
if (host) {
  mount(Settings, { target: document.body, props: { host } });
} else {
  // A plain browser, for design work: ?story=NAME.
  const { tellSettings } = await import("./stories/settings");
  await tellSettings(document.body);
}
