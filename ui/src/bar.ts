// Widths of the memory bar: one segment per Mac, as wide as what is installed in it.
import type { AbsentView } from "./bindings/AbsentView";
import type { MemberView } from "./bindings/MemberView";
import { gb } from "./words";

export interface Segment {
  id: string;
  /** The Mac's name, as much of it as fits below. */
  label: string;
  x: number;
  width: number;
  /** Models, from the left. */
  models: number;
  /** Other use, from the right; 0 where the Mac does not tell. */
  other: number;
  /** Where the GPU's limit is; `null` where it is not known. */
  limit: number | null;
  /** Whether a person set where it is. */
  mine: boolean;
  /** Whether the Mac has told what is installed. */
  known: boolean;
}

/** A budget that a person set, and what the GPUs could use (MiB): the marks move to the share of it. */
export interface Budget {
  advertised_mib: number;
  schedulable_mib: number | null;
}

/** What part of each Mac's limit a budget leaves in use; 1 where it takes all of it. */
function share(budget: Budget | undefined): number {
  if (!budget || budget.schedulable_mib === null || budget.schedulable_mib <= 0) return 1;
  return Math.min(1, budget.advertised_mib / budget.schedulable_mib);
}

/** Between two segments (px). */
const GAP = 3;
/** No segment is narrower (px). */
const LEAST = 14;

/** Of a Mac that is there or was: one that left keeps its place until it is forgotten. */
type Placed = Pick<MemberView, "id" | "name" | "installed_mib"> & { mac?: MemberView };

function placed(members: MemberView[], absent: AbsentView[]): Placed[] {
  const left = absent.filter((gone) => gone.since !== null);
  return [...members.map((mac) => ({ id: mac.id, name: mac.name, installed_mib: mac.installed_mib, mac })), ...left];
}

/** A Mac as it is while it tells of itself; what one that is not heard of holds, nobody knows. */
const told = (mac: MemberView | undefined) => (mac?.state.state === "online" && mac.installed_mib !== null && mac.installed_mib > 0 ? mac : undefined);

/** Lays the segments out in `width` px. A Mac that has not told its memory is as wide as the smallest that has. */
export function segments(members: MemberView[], absent: AbsentView[], width: number, budget?: Budget): Segment[] {
  const all = placed(members, absent);
  if (all.length === 0) return [];
  const sizes = all.map((mac) => mac.installed_mib).filter((mib): mib is number => mib !== null && mib > 0);
  const assumed = sizes.length > 0 ? Math.min(...sizes) : 1;
  const shares = all.map((mac) => (mac.installed_mib !== null && mac.installed_mib > 0 ? mac.installed_mib : assumed));
  const room = Math.max(0, width - GAP * (all.length - 1));
  const least = Math.min(LEAST, room / all.length);
  const sum = shares.reduce((all, one) => all + one, 0);
  const extra = room - least * all.length;
  let x = 0;
  return all.map(({ id, name, mac: member }, n) => {
    const installed = shares[n] ?? assumed;
    const wide = least + (extra * installed) / sum;
    const mac = told(member);
    const px = (mib: number) => Math.min(wide, Math.max(0, (wide * mib) / installed));
    const models = mac ? px(mac.models_mib) : 0;
    const used = !mac || mac.free_mib === null ? null : installed - mac.free_mib - mac.models_mib;
    const segment: Segment = {
      id,
      label: fitting(name, wide),
      x,
      width: wide,
      models,
      other: used === null ? 0 : Math.min(px(used), wide - models),
      limit: mac && mac.usable_mib !== null ? px(mac.usable_mib * share(budget)) : null,
      mine: budget !== undefined || mac?.usable_origin === "told",
      known: mac !== undefined,
    };
    x += wide + GAP;
    return segment;
  });
}

/** About so wide is a letter, and so wide one that fills a square: an emoji, a Chinese character (px). */
const LETTER = 6.4;
const SQUARE = 13;
const FILLS = /[\p{Extended_Pictographic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u{fb50}-\u{fdff}]/u;
/** Less of a name than this says nothing (px). */
const TELLING = 4 * LETTER;

const LETTERS = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** As much of a name as fits into `width` px. */
function fitting(name: string, width: number): string {
  let [whole, kept, start] = [0, 0, ""];
  for (const { segment } of LETTERS.segment(name)) {
    whole += FILLS.test(segment) ? SQUARE : LETTER;
    if (whole + LETTER > width) continue;
    start += segment;
    kept = whole;
  }
  if (whole <= width) return name;
  return kept + LETTER < TELLING ? "" : `${start}…`;
}

/** The same as a sentence, for whoever does not see it. */
export function spoken(members: MemberView[], absent: AbsentView[] = []): string {
  return placed(members, absent)
    .map(({ name, mac: member }) => {
      const mac = told(member);
      if (mac?.installed_mib == null) return `${name}: not known`;
      const parts = [`${gb(mac.models_mib)} GB models`];
      if (mac.free_mib !== null) parts.push(`${gb(mac.free_mib)} GB free`);
      parts.push(`of ${gb(mac.installed_mib)} GB`);
      if (mac.usable_mib !== null) parts.push(`limit ${gb(mac.usable_mib)} GB`);
      return `${name}: ${parts.join(", ")}`;
    })
    .join("; ");
}
