// Opens every story in Chromium, light and dark: nothing sticks out or complains, axe finds nothing; and again at 150 %, with more
// contrast, without motion, without transparency and in colours of the person's own.
// With --shots DIR it also writes NAME-light.png and NAME-dark.png there, and nothing else is looked at.
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { drawn, open, popover, settings } from "./house.mjs";
import { crowded, jumping, moving, translucent } from "./looks.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const at = process.argv.indexOf("--shots");
const shots = at < 0 ? undefined : process.argv[at + 1];
if (shots) await mkdir(shots, { recursive: true });

/** So many stories are looked at at a time: as many as a small machine has cores. */
const AT_A_TIME = 2;
const ALL = { resultTypes: ["violations"], rules: { region: { enabled: false }, "page-has-heading-one": { enabled: false } } };
/** 7:1, where a person asks for more contrast; whatever cannot be worked is as it is. */
const ENHANCED = { resultTypes: ["violations"], runOnly: ["color-contrast-enhanced"], rules: { "color-contrast-enhanced": { enabled: true } } };

async function found(page, options) {
  const { violations } = await page.evaluate((how) => window.axe.run(document, how), options);
  return violations.map(({ id, nodes }) => `axe ${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
}

/** What the system asks of the page; the rest is as usual. */
async function wish(session, page, wished, colorScheme) {
  const usual = { "prefers-color-scheme": colorScheme, "prefers-reduced-motion": "reduce" };
  const features = Object.entries({ ...usual, ...wished }).map(([name, value]) => ({ name, value }));
  await session.send("Emulation.setEmulatedMedia", { features });
  await drawn(page);
  const deaf = await page.evaluate((all) => all.filter(([name, value]) => !window.matchMedia(`(${name}: ${value})`).matches).map(([name]) => name), Object.entries(wished));
  return deaf.map((name) => `Chromium does not take ${name}`);
}

/** Everything that is said of one story. */
async function look(page, session, kind, colorScheme) {
  const said = [];
  const add = (when, faults) => said.push(...faults.map((fault) => (when ? `${when}: ${fault}` : fault)));
  await page.evaluate(axe);
  add("", await page.evaluate(crowded, kind.root));
  add("", await page.evaluate(jumping, kind.root));
  add("", await page.evaluate(moving));
  add("", await found(page, ALL));
  add("more contrast", await wish(session, page, { "prefers-contrast": "more" }, colorScheme));
  add("more contrast", await found(page, ENHANCED));
  add("no transparency", await wish(session, page, { "prefers-reduced-transparency": "reduce" }, colorScheme));
  add("no transparency", await page.evaluate(translucent, kind.root));
  // Lengths are the same in light and dark.
  if (colorScheme === "dark") return said;
  add("forced colours", await wish(session, page, { "forced-colors": "active" }, colorScheme));
  add("forced colours", await page.evaluate(crowded, kind.root));
  add("", await wish(session, page, {}, colorScheme));
  // A page that is zoomed has fewer pixels of its own in the same window.
  for (const [when, width, height] of zooms(kind)) {
    await page.setViewportSize({ width, height });
    await drawn(page);
    add(when, await page.evaluate(crowded, kind.root));
  }
  return said;
}

const zooms = ({ viewport: { width, height } }) => {
  const zoomed = ["150 %", Math.round(width / 1.5), Math.round(height / 1.5)];
  return width > 320 ? [zoomed, ["320 wide", 320, height]] : [zoomed];
};

const house = await open();
const faults = [];
let passed = 0;
try {
  const queue = [];
  for (const kind of [popover, settings]) {
    for (const name of await house.names(kind)) for (const colorScheme of ["light", "dark"]) queue.push({ kind, name, colorScheme });
  }
  const walker = async () => {
    let said = [];
    const windows = new Map();
    for (const kind of [popover, settings]) {
      const page = await (await house.context(kind)).newPage();
      page.on("console", (line) => ["error", "warning"].includes(line.type()) && said.push(line.text()));
      page.on("pageerror", (error) => said.push(String(error)));
      windows.set(kind, { page, session: await page.context().newCDPSession(page) });
    }
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { kind, name, colorScheme } = next;
      const { page, session } = windows.get(kind);
      said = [];
      await page.setViewportSize(kind.viewport);
      await wish(session, page, {}, colorScheme);
      await house.tell(page, kind, name);
      if (shots) await page.locator(kind.root).screenshot({ path: join(shots, `${name}-${colorScheme}.png`) });
      else said.push(...(await look(page, session, kind, colorScheme)));
      if (said.length === 0) passed += 1;
      else faults.push(`${name} (${colorScheme}): ${[...new Set(said)].join("; ")}`);
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, walker));
} finally {
  await house.close();
}
for (const fault of faults) console.error(fault);
console.log(`${passed} passed, ${faults.length} failed`);
process.exitCode = faults.length === 0 ? 0 : 1;
