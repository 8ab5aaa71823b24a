// The built pages behind a server of their own, under the app's style policy, and Chromium to look at them.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

import { chromium } from "playwright-core";

const dist = join(import.meta.dirname, "..", "dist");
const kinds = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
const policy = "default-src 'self'; img-src 'self' data:; style-src 'self'; script-src 'self'";

/** The pages, what of each is looked at, what is there once its story is told, and its window (px). */
export const popover = { path: "index.html", root: ".popover", told: ".popover", viewport: { width: 320, height: 560 } };
export const settings = { path: "settings.html", root: ".settings", told: "[data-told]", viewport: { width: 560, height: 640 } };

/** Whoever calls it closes it. */
export async function open() {
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
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" "),
  });
  const base = `http://127.0.0.1:${server.address().port}/`;
  return {
    browser,
    /** What a window of this kind has in all its contexts. */
    context: ({ viewport }, colorScheme = "light") =>
      browser.newContext({ colorScheme, viewport, deviceScaleFactor: 2, reducedMotion: "reduce", timezoneId: "UTC", locale: "en-GB" }),
    /** The names of a page's stories. */
    async names({ path }) {
      const page = await browser.newPage();
      await page.goto(base + path);
      // The list is there a moment after the page.
      await page.locator("a").first().waitFor();
      const names = await page.locator("a").allTextContents();
      await page.close();
      return names;
    },
    /** Tells a story on a page. */
    async tell(page, { path, told }, name) {
      await page.goto(`${base}${path}?story=${name}`);
      await page.locator(told).waitFor();
      await drawn(page);
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

export const drawn = (page) => page.evaluate(() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then))));
