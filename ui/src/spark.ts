// The line of the last hour: tokens a second, drawn as it was.
export interface Spark {
  /** The last whole minute (tokens a second). */
  now: number;
  /** The busiest minute (tokens a second). */
  peak: number;
  /** How far back it goes, in words. */
  span: string;
  /** The line, and the area below it, as SVG paths. */
  line: string;
  area: string;
  /** Where the last minute is. */
  x: number;
  y: number;
}

/** Room for half the last point (px). */
const POINT = 2.5;
/** Above the highest value (px). */
const HEADROOM = 2;
/** An hour, as minutes. */
const HOUR = 60;

/** Lays the minutes out in `width` × `height` px, the last one at the right; `null` where there was nothing to see. */
export function spark(tokensAMinute: number[], width: number, height: number): Spark | null {
  const peak = Math.max(0, ...tokensAMinute);
  if (tokensAMinute.length < 2 || peak === 0) return null;
  const step = (width - POINT) / (HOUR - 1);
  const left = width - POINT - step * (tokensAMinute.length - 1);
  const round = (px: number) => Math.round(px * 10) / 10;
  const points = tokensAMinute.map((tokens, n) => ({
    x: round(left + step * n),
    y: round(height - 1 - ((height - 1 - HEADROOM) * tokens) / peak),
  }));
  const line = points.map(({ x, y }, n) => `${n === 0 ? "M" : "L"}${x} ${y}`).join("");
  const [first, last] = [points[0], points[points.length - 1]];
  if (!first || !last) return null;
  return {
    now: Math.round((tokensAMinute[tokensAMinute.length - 1] ?? 0) / 60),
    peak: Math.round(peak / 60),
    span: tokensAMinute.length >= HOUR ? "last hour" : `last ${tokensAMinute.length} min`,
    line,
    area: `${line}L${last.x} ${height}L${first.x} ${height}Z`,
    x: last.x,
    y: last.y,
  };
}
