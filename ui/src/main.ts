// Wires the page: the host's scenes in, a person's wishes out.
import { mount } from "svelte";

import App from "./App.svelte";
import { tauriHost } from "./host";
import "./porten.css";

const host = tauriHost();
if (host) {
  mount(App, { target: document.body, props: { host } });
} else {
  // A plain browser, for design work: ?story=NAME.
  const { tell } = await import("./stories/tell");
  tell(document.body);
}
