/** The page's one clock: it says what time the picture is of, and ticks only while the picture counts seconds. */

const TICK_MS = 1_000;

export class Clock {
  /** What `Date.now()` said at the last look. */
  now = $state(0);
  readonly #read: () => number;

  /** `read` stands still in pictures, so that they are the same each time. */
  constructor(read: () => number = Date.now) {
    this.#read = read;
    this.look();
  }

  /** Reads the time, as it is done for each new scene. */
  look(): void {
    this.now = this.#read();
  }

  /** Ticks until the returned function is called. */
  run(): () => void {
    this.look();
    const timer = setInterval(() => this.look(), TICK_MS);
    return () => clearInterval(timer);
  }
}
