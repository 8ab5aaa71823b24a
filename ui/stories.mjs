// Opens every story in Chromium, light and dark: nothing overflows, nothing complains, axe finds nothing.
// With --shots DIR it also writes NAME-light.png and NAME-dark.png there.
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, normalize } from "node:path";

import { chromium } from "playwright-core";

const dist = join(import.meta.dirname, "dist");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const at = process.argv.indexOf("--shots");
const shots = at < 0 ? undefined : process.argv[at + 1];
if (shots) await mkdir(shots, { recursive: true });

const kinds = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const policy = "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'";
const server = createServer(async (request, response) => {
  const path = normalize(new URL(request.url, "http://x").pathname).replace(/^\/$/, "/index.html");
  try {
    const body = await readFile(join(dist, path));
    response.writeHead(200, { "content-type": kinds[extname(path)] ?? "text/plain", "content-security-policy": policy });
    response.end(body);
  } catch {
    // A browser may look for an icon by itself: that is no fault of the page.
    response.writeHead(path === "/favicon.ico" ? 204 : 404).end();
  }
});
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const base = `http://127.0.0.1:${server.address().port}/`;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" "),
});
/** The pages, what of each is looked at, and what is there once its story is told. */
const pages = [
  { path: "index.html", root: ".popover", told: ".popover", viewport: { width: 320, height: 560 } },
  { path: "settings.html", root: ".settings", told: "[data-told]", viewport: { width: 560, height: 640 } },
];
const faults = [];
let passed = 0;
try {
  const tells = [];
  for (const each of pages) {
    const first = await browser.newPage();
    await first.goto(base + each.path);
    // The list is there a moment after the page.
    await first.locator("a").first().waitFor();
    const names = await first.locator("a").allTextContents();
    await first.close();
    for (const colorScheme of ["light", "dark"]) tells.push({ ...each, names, colorScheme });
  }
  for (const { path, root, told, viewport, colorScheme, names } of tells) {
    const context = await browser.newContext({ colorScheme, viewport, deviceScaleFactor: 2, reducedMotion: "reduce", timezoneId: "UTC", locale: "en-GB" });
    for (const name of names) {
      const page = await context.newPage();
      const said = [];
      page.on("console", (line) => ["error", "warning"].includes(line.type()) && said.push(line.text()));
      page.on("pageerror", (error) => said.push(String(error)));
      await page.goto(`${base}${path}?story=${name}`);
      await page.locator(told).waitFor();
      await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
      said.push(...(await page.evaluate(overflowing, root)));
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { rules: { region: { enabled: false }, "page-has-heading-one": { enabled: false } } }));
      for (const { id, nodes } of violations) said.push(`axe ${id}: ${nodes.map((node) => node.html.slice(0, 120)).join(" | ")}`);
      if (shots) await page.locator(root).screenshot({ path: join(shots, `${name}-${colorScheme}.png`) });
      if (said.length === 0) passed += 1;
      else faults.push(`${name} (${colorScheme}): ${said.join("; ")}`);
      await page.close();
    }
    await context.close();
  }
} finally {
  await browser.close();
  server.close();
}
for (const fault of faults) console.error(fault);
console.log(`${passed} passed, ${faults.length} failed`);
process.exitCode = faults.length === 0 ? 0 : 1;

/** What sticks out of the page, in words. */
function overflowing(root) {
  const wide = document.documentElement.scrollWidth;
  const out = wide > window.innerWidth ? [`the page is ${wide} wide`] : [];
  for (const element of document.querySelectorAll(`${root} *`)) {
    const { left, right, width } = element.getBoundingClientRect();
    const hidden = element.closest(".vh, .clip, clipPath, g, .bar");
    if (width > 0 && !hidden && (left < -0.5 || right > window.innerWidth + 0.5)) out.push(`${element.tagName}.${element.getAttribute("class")} sticks out`);
  }
  return out;
}
