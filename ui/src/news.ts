// What is worth saying aloud to whoever does not see the page. Never a number that moves.
import type { Scene } from "./bindings/Scene";
import { overall } from "./words";

/** What has happened to the Macs and the models between two scenes, in short sentences. */
export function news(before: Scene, after: Scene): string[] {
  const [was, is] = [before.snapshot, after.snapshot];
  if (!was || !is) return [];
  const said: string[] = [];
  for (const mac of is.cluster?.members ?? []) {
    const old = was.cluster?.members.find((one) => one.id === mac.id);
    if (!old || old.state.state === mac.state.state) continue;
    if (mac.state.state === "late") said.push(`${mac.name} is not heard of.`);
    if (mac.state.state === "online" && old.state.state === "late") said.push(`${mac.name} is back.`);
  }
  for (const mac of is.cluster?.absent ?? []) {
    const left = mac.since !== null && !was.cluster?.absent.some((one) => one.id === mac.id);
    const known = was.cluster?.members.some((one) => one.name === mac.name && one.state.state === "online");
    if (left && known) said.push(`${mac.name} is lost.`);
  }
  const ready = (state: string) => state === "ready" || state === "serving";
  for (const model of is.models) {
    const old = was.models.find((one) => one.id === model.id);
    if (old && !ready(old.state.state) && ready(model.state.state)) said.push(`${model.id} is ready.`);
  }
  return said;
}

/** The header's word, without what counts down. */
export function stateWord({ snapshot, trouble }: Scene, now: number): string {
  if (trouble !== null) return "Needs you";
  if (!snapshot) return "";
  return snapshot.overall.state === "waiting" ? "Trying again" : overall(snapshot.overall, false, now).word;
}
