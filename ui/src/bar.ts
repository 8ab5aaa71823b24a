// Widths of the memory bar: one segment per Mac, as wide as what is installed in it.
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

/** Lays the segments out in `width` px. A Mac that has not told its memory is as wide as the smallest that has. */
export function segments(members: MemberView[], width: number, budget?: Budget): Segment[] {
  if (members.length === 0) return [];
  const told = members.map((mac) => mac.installed_mib).filter((mib): mib is number => mib !== null && mib > 0);
  const assumed = told.length > 0 ? Math.min(...told) : 1;
  const shares = members.map((mac) => (mac.installed_mib !== null && mac.installed_mib > 0 ? mac.installed_mib : assumed));
  const room = Math.max(0, width - GAP * (members.length - 1));
  const least = Math.min(LEAST, room / members.length);
  const sum = shares.reduce((all, one) => all + one, 0);
  const extra = room - least * members.length;
  let x = 0;
  return members.map((mac, n) => {
    const installed = shares[n] ?? assumed;
    const wide = least + (extra * installed) / sum;
    // What a Mac that is not heard of holds, nobody knows.
    const known = mac.state.state === "online" && mac.installed_mib !== null && mac.installed_mib > 0;
    const px = (mib: number) => Math.min(wide, Math.max(0, (wide * mib) / installed));
    const models = known ? px(mac.models_mib) : 0;
    const used = mac.free_mib === null ? null : installed - mac.free_mib - mac.models_mib;
    const segment: Segment = {
      id: mac.id,
      label: fitting(mac.name, wide),
      x,
      width: wide,
      models,
      other: known && used !== null ? Math.min(px(used), wide - models) : 0,
      limit: known && mac.usable_mib !== null ? px(mac.usable_mib * share(budget)) : null,
      mine: budget !== undefined || mac.usable_origin === "told",
      known,
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
export function spoken(members: MemberView[]): string {
  return members
    .map((mac) => {
      if (mac.state.state !== "online" || mac.installed_mib === null) return `${mac.name}: not known`;
      const parts = [`${gb(mac.models_mib)} GB models`];
      if (mac.free_mib !== null) parts.push(`${gb(mac.free_mib)} GB free`);
      parts.push(`of ${gb(mac.installed_mib)} GB`);
      if (mac.usable_mib !== null) parts.push(`limit ${gb(mac.usable_mib)} GB`);
      return `${mac.name}: ${parts.join(", ")}`;
    })
    .join("; ");
}
