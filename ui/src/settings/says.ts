// What the settings page says of what holds.
import type { AwakeView } from "../bindings/AwakeView";
import type { EngineView } from "../bindings/EngineView";
import type { LoginView } from "../bindings/LoginView";
import type { MemberView } from "../bindings/MemberView";
import type { MemoryView } from "../bindings/MemoryView";
import type { SettingView } from "../bindings/SettingView";
import type { Snapshot } from "../bindings/Snapshot";
import { howLong } from "../rest";
import { gb, hub, isOnline, sentence, stop } from "../words";
import type { Shape } from "../words";

/** A line under a name, with the shape of a state where it says one. */
export interface Line {
  shape?: Shape;
  text: string;
}

/** Whether the app opens at login. */
export function login(it: LoginView, mac: boolean): Line {
  switch (it.state) {
    case "on":
      return { shape: "online", text: mac ? "Allowed by macOS" : "Opens when you log in" };
    case "off":
      return { shape: "off", text: "Off" };
    case "switched_off":
      return { shape: "degraded", text: "Needs your approval in System Settings" };
    case "refused":
      return { shape: "down", text: it.why };
  }
}

/** Whether this Mac is kept awake. */
export function awake(it: AwakeView | undefined): Line {
  switch (it?.state) {
    case undefined:
      return { text: "On mains power with the lid open. This Mac only" };
    case "not_wanted":
      return { text: "Off. Asleep, this Mac serves nothing" };
    case "idle":
      return { shape: "off", text: "May sleep: there is nothing to serve" };
    case "held":
      return { shape: "online", text: "Kept awake, on mains power with the lid open. This Mac only" };
    case "on_battery":
      return { shape: "degraded", text: "On battery: this Mac may sleep" };
    case "refused":
      return { shape: "down", text: sentence(it.why) };
  }
}

/** Whether it rests, or what a rest does. */
export function rest(snapshot: Snapshot | null, now: number): Line {
  if (!snapshot) return { text: "Running requests are finished; no new ones come" };
  const { pause } = snapshot;
  if (pause?.cannot) return { shape: "degraded", text: sentence(pause.cannot) };
  if (pause) {
    const long = howLong(pause.pause.how === "until" ? pause.pause.until : null, now);
    return pause.rests ? { shape: "off", text: `Paused ${long}` } : { shape: "online", text: `Serving now, paused ${long}` };
  }
  return { text: isOnline(snapshot) ? "Running requests are finished; no new ones come" : "Nothing to pause: this Mac is not online" };
}

/** The link, and who is signed in. */
export function link(snapshot: Snapshot): Line {
  const said = hub(snapshot.hub);
  const { account } = snapshot;
  const it = snapshot.hub.link;
  const why = it.state === "waiting" || it.state === "refused" || it.state === "signed_out" ? it.why : null;
  const who = account ? `signed in${account.name ? ` as ${account.name}` : ""}` : null;
  const text = [said.word, why, who].filter(Boolean).join(" · ");
  return { shape: said.shape, text: it.state === "refused" ? `${text}. ${stop(it.remedy)}` : text };
}

/** How the engine was found. */
export function found({ origin, kind, url }: Pick<EngineView, "origin" | "kind" | "url">): string {
  if (origin.from !== "found" && origin.from !== "default") return "At the address below";
  if (url === null || kind === null) return "Looked for on this Mac: exo, mlx_lm.server, llama.cpp or GPUStack";
  return "Found by itself. mlx_lm.server, llama.cpp and GPUStack work too";
}

/** What a budget comes to: with `typed` (MiB), what it would. */
export function consequence(memory: MemoryView, typed: number | null): string {
  const told = typed ?? memory.advertised_mib;
  const says = typed === null || typed === memory.advertised_mib ? "The Hub is told" : "The Hub will be told";
  const less = memory.missing_mib > 0 ? " Less the share of the Macs that are offline." : "";
  if (typed === null && memory.origin !== "set") {
    if (memory.origin === "unknown") return "Nothing is told to the Hub, as the memory is not known: set a fixed budget.";
    return `${says} ${gb(told)} GB, ${memory.origin === "known" ? "all that the GPUs can use" : "as much as the GPUs are assumed to use"}.${less}`;
  }
  const can = memory.schedulable_mib;
  if (can === null) return `${says} ${gb(told)} GB.${less}`;
  const rest = Number(gb(can).replaceAll(",", "")) - Number(gb(told).replaceAll(",", ""));
  const then = rest > 0 ? `; ${gb(rest * 1024)} GB stays yours` : rest < 0 ? `: ${gb(-rest * 1024)} GB too much` : ", and nothing stays yours";
  return `${says} ${gb(told)} GB. The GPUs can use about ${gb(can)} GB${then}.${less}`;
}

/** Where the limit of a Mac's GPU is from. */
export function limit(mac: MemberView): Line {
  if (mac.usable_mib === null) return { shape: "off", text: "Not known" };
  switch (mac.usable_origin) {
    case "read":
      return { text: "Read on this Mac" };
    case "told":
      return { text: "Told by you" };
    case "assumed":
      return { shape: "degraded", text: mac.installed_mib === null ? "Assumed" : `Assumed: three quarters of ${gb(mac.installed_mib)} GB` };
  }
}

/** GB as typed; MiB, or `null` where that is no amount. */
export function mib(text: string): number | null {
  const number = Number(text.trim().replace(/\s*GB$/i, "").replaceAll(",", ""));
  return text.trim() !== "" && Number.isFinite(number) && number > 0 ? Math.round(number * 1024) : null;
}

/** MiB as a person would type GB. */
export const typed = (amount: number) => String(Math.round((amount / 1024) * 10) / 10);

export const NO_AMOUNT = "Write a number of GB, such as 440.";

/** Models that have minutes of their own. */
export function own(settings: SettingView[]): string {
  const those = settings.flatMap(({ key, value }) => {
    const id = /^model\."(.+)"\.free_after_minutes$/.exec(key)?.[1];
    return id && value ? [`${id} after ${value} min`] : [];
  });
  return those.length === 0 ? "" : `Set for itself: ${those.join(", ")}`;
}

/** So many of a list are named. */
const NAMED = 5;

export const several = (all: string[]) =>
  all.length <= NAMED ? all.join(", ") : `${all.slice(0, NAMED).join(", ")} and ${all.length - NAMED} more`;
