// The line of the last hour: tokens a second, drawn as it was.
export interface Spark {
  /** Just now (tokens a second). */
  now: number;
  /** The most there was (tokens a second). */
  peak: number;
  /** How far back it goes, in words. */
  span: string;
  /** The line, and the area below it, as SVG paths. */
  line: string;
  area: string;
  /** Where now is. */
  x: number;
  y: number;
}

/** Room for half the last point (px). */
const POINT = 2.5;
/** Above the highest value (px). */
const HEADROOM = 2;
/** An hour, as minutes. */
const HOUR = 60;

/**
 * Lays the minutes out in `width` × `height` px, with now (tokens a second) at the right; `null` where there was nothing to
 * see. Where now is not known the last whole minute stands for it.
 */
export function spark(tokensAMinute: number[], now: number | null, width: number, height: number): Spark | null {
  const live = now === null ? [] : [now * 60];
  const all = [...tokensAMinute, ...live].slice(-HOUR);
  const peak = Math.max(0, ...all);
  if (tokensAMinute.length < 2 || peak === 0) return null;
  const step = (width - POINT) / (HOUR - 1);
  const left = width - POINT - step * (all.length - 1);
  const round = (px: number) => Math.round(px * 10) / 10;
  const points = all.map((tokens, n) => ({
    x: round(left + step * n),
    y: round(height - 1 - ((height - 1 - HEADROOM) * tokens) / peak),
  }));
  const line = points.map(({ x, y }, n) => `${n === 0 ? "M" : "L"}${x} ${y}`).join("");
  const [first, last] = [points[0], points[points.length - 1]];
  if (!first || !last) return null;
  return {
    now: Math.round((all[all.length - 1] ?? 0) / 60),
    peak: Math.round(peak / 60),
    span: tokensAMinute.length >= HOUR ? "last hour" : `last ${tokensAMinute.length} min`,
    line,
    area: `${line}L${last.x} ${height}L${first.x} ${height}Z`,
    x: last.x,
    y: last.y,
  };
}
