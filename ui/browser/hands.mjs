// What a keyboard meets on a page. The functions with a `root` run in the page.

/** Everything that can be done, as a person sees it: in the order of the page, each with its place. */
export function actions(root) {
  const all = document.querySelectorAll(`${root} :is(button, input, a[href], [tabindex='0']):not(:disabled, [tabindex='-1'])`);
  return [...all].map((element) => element.getAttribute("aria-label") ?? (element.textContent || element.getAttribute("type") || element.tagName));
}

/** What has the focus: its place, and what is wrong with the ring around it. */
export async function focused(root) {
  // What scrolls, scrolls a moment later.
  await new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then)));
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const all = [...document.querySelectorAll(`${root} :is(button, input, a[href], [tabindex='0']):not(:disabled, [tabindex='-1'])`)];
  const wrong = [];
  // A field that is a part of another control has the ring around both.
  const ringed = element.matches(".search input") ? element.closest(".search") : element;
  const { outlineStyle, outlineWidth, outlineOffset, outlineColor } = getComputedStyle(ringed);
  const wide = parseFloat(outlineWidth) + parseFloat(outlineOffset);
  if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) wrong.push(`no ring: ${outlineStyle} ${outlineWidth}`);
  const rect = ringed.getBoundingClientRect();
  const ring = { left: rect.left - wide, right: rect.right + wide, top: rect.top - wide, bottom: rect.bottom + wide };
  let ground = null;
  const color = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+(?=[ ,/)])/g).map(Number);
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  for (let at = ringed.parentElement; at; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (!ground && color(style.backgroundColor)[3] === 1) ground = color(style.backgroundColor);
    const box = at.getBoundingClientRect();
    const hides = style.overflowX !== "visible" && at !== document.body;
    if (hides && (ring.left < box.left - 0.5 || ring.right > box.right + 0.5 || ring.top < box.top - 0.5 || ring.bottom > box.bottom + 0.5)) {
      wrong.push(`the ring is cut by ${at.className}`);
    }
  }
  if (ring.left < 0 || ring.right > innerWidth || ring.top < 0 || ring.bottom > innerHeight + 0.5) wrong.push("the ring is cut by the window");
  const fade = document.querySelector(".fade")?.getBoundingClientRect();
  if (fade && element.closest(".body") && !element.matches(".body") && rect.bottom > fade.top + 8) wrong.push("it is under what fades");
  ground ??= color(getComputedStyle(document.documentElement).backgroundColor);
  const [r, g, b, a] = color(outlineColor);
  const seen = [r, g, b].map((part, n) => part * a + ground[n] * (1 - a));
  const light = (parts) => {
    const [red, green, blue] = parts.map((part) => (part <= 10.3 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [one, other] = [light(seen), light(ground)].sort((x, y) => y - x);
  const ratio = (one + 0.05) / (other + 0.05);
  if (ratio < 3) wrong.push(`the ring has a contrast of ${ratio.toFixed(2)}`);
  // Where it is on the whole page, however far that is scrolled: header, body, menu, footer, one below the other.
  const part = ["head", "body", "over", "foot"].findIndex((name) => element.closest(`.${name}`));
  const scrolled = element.closest(".body")?.scrollTop ?? scrollY;
  const whole = element.matches(".body") ? { top: rect.top, bottom: rect.top, left: rect.left, right: rect.left } : rect;
  return { at: all.indexOf(element), part, left: whole.left, right: whole.right, top: whole.top + scrolled, bottom: whole.bottom + scrolled, wrong };
}

/** The first Tab goes to the beginning of the page. */
export function rewind() {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}

/** Its role and name, as an assistive technology is told, and whether it has the focus. */
export async function told(session) {
  const { result } = await session.send("Runtime.evaluate", { expression: "document.activeElement" });
  const { nodes } = await session.send("Accessibility.getPartialAXTree", { objectId: result.objectId, fetchRelatives: false });
  return { role: nodes[0].role?.value ?? "", name: nodes[0].name?.value ?? "" };
}

/** Whether one comes after another as people read: in the next part, further down, or further right in the same line. */
export function follows(one, other) {
  if (one.part !== other.part) return other.part > one.part;
  if (other.top >= one.bottom - 4) return true;
  return Math.min(one.bottom, other.bottom) > Math.max(one.top, other.top) && other.left >= one.right - 1;
}

/** Beyond so many steps a page has a trap. */
const MOST = 120;

/** Goes through a page with Tab, to its end. */
export async function walk(page, session, root) {
  await page.evaluate(rewind);
  const steps = [];
  for (let n = 0; n < MOST; n += 1) {
    await page.keyboard.press("Tab");
    const step = await page.evaluate(focused, root);
    if (step === null || step.at === steps[0]?.at) return steps;
    steps.push({ ...step, ...(await told(session)) });
  }
  throw new Error(`after ${MOST} steps there is no end: ${steps.map((step) => step.name).join(", ")}`);
}
