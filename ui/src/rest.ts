// How long a rest lasts that a person asks for, and how its end is said.
import type { Pause } from "./bindings/Pause";

/** When a day begins, for whoever pauses until tomorrow (hour of the day). */
const MORNING = 8;

export const forAnHour = (now: number): Pause => ({ how: "until", until: new Date(now + 3_600_000).toISOString() });

/** Until the morning of the next day, by this machine's clock. */
export function untilTomorrow(now: number): Pause {
  const day = new Date(now);
  day.setDate(day.getDate() + 1);
  day.setHours(MORNING, 0, 0, 0);
  return { how: "until", until: day.toISOString() };
}

export const WHILE_IN_USE: Pause = { how: "while_in_use" };

/** `18:00` today; `tomorrow, 08:00`; `Friday, 08:00`; `3 Dec, 08:00`. */
export function hour(at: string, now: number): string {
  const then = new Date(at);
  const time = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const midnight = (of: Date) => new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  // A day with a change of the clock has 23 or 25 hours.
  const days = Math.round((midnight(then) - midnight(new Date(now))) / 86_400_000);
  if (days <= 0) return time;
  if (days === 1) return `tomorrow, ${time}`;
  const day = then.toLocaleDateString("en-GB", days < 7 ? { weekday: "long" } : { day: "numeric", month: "short" });
  return `${day}, ${time}`;
}

/** `until 18:00`, or that it follows whoever uses this Mac. */
export const howLong = (until: string | null, now: number) => (until === null ? "while you use this Mac" : `until ${hour(until, now)}`);
