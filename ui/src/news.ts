// What is worth saying aloud to whoever does not see the page. Never a number that moves.
import type { Notice } from "./bindings/Notice";
import type { Scene } from "./bindings/Scene";
import { overall, printed, stop } from "./words";

const known = ({ code, subject }: Notice, among: Notice[]) => among.some((one) => one.code === code && one.subject === subject);

/** What has happened between two scenes, in short sentences: to the Macs and the models, and what there is to know or do. */
export function news(before: Scene, after: Scene): string[] {
  const [was, is] = [before.snapshot, after.snapshot];
  if (!was || !is) return [];
  // What stands first is said as the state.
  const fresh = is.notices.filter((notice) => notice.severity !== "note" && !known(notice, was.notices) && notice.title !== is.headline?.text);
  const said = fresh.map((notice) => stop(notice.title));
  // A notice says it better.
  const missed = (mac: string) => is.notices.some((notice) => notice.code === "member_lost" && notice.subject === mac);
  for (const mac of is.cluster?.members ?? []) {
    const old = was.cluster?.members.find((one) => one.id === mac.id);
    if (!old || old.state.state === mac.state.state) continue;
    if (mac.state.state === "late" && !missed(mac.name)) said.push(`${mac.name} stopped responding.`);
    if (mac.state.state === "online" && old.state.state === "late") said.push(`${mac.name} is back.`);
  }
  for (const mac of is.cluster?.absent ?? []) {
    const left = mac.since !== null && !was.cluster?.absent.some((one) => one.id === mac.id);
    const here = was.cluster?.members.some((one) => one.name === mac.name && one.state.state === "online");
    if (left && here && !missed(mac.name)) said.push(`${mac.name} is lost.`);
  }
  const ready = (state: string) => state === "ready" || state === "serving";
  for (const model of is.models) {
    const old = was.models.find((one) => one.id === model.id);
    if (old && !ready(old.state.state) && ready(model.state.state)) said.push(`${model.id} is ready.`);
  }
  return said;
}

/** The header's word, without what counts. */
export function stateWord({ snapshot, trouble }: Scene, now: number): string {
  if (trouble !== null) return "Porten can’t start";
  if (!snapshot) return "";
  const { overall: it, headline } = snapshot;
  switch (it.state) {
    case "waiting":
      return "Trying again";
    case "finishing":
      return "Finishing";
    case "ready":
      return "Ready";
    case "pending":
      // A percentage moves.
      return printed(headline?.text ?? "").replace(/ \d+%$/, "");
    default:
      return overall(it, headline, false, now).word;
  }
}
