// What may be wrong with the look of a page. Each runs in the page and gives its faults as words.

/** What sticks out of the page, is cut without a word that says the whole, or lies upon something else. */
export function crowded(root) {
  const out = [];
  const name = (element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""} “${element.textContent.trim().slice(0, 40)}”`;
  const wide = document.documentElement.scrollWidth;
  if (wide > window.innerWidth) out.push(`the page is ${wide} wide`);
  for (const element of document.querySelectorAll(`${root} *`)) {
    const { left, right, width } = element.getBoundingClientRect();
    if (element.closest(".vh, clipPath, g")) continue;
    const inside = element.parentElement?.closest(".clip, .bar");
    if (width > 0 && !inside && (left < -0.5 || right > window.innerWidth + 0.5)) out.push(`${name(element)} sticks out`);
    if (!(element instanceof HTMLElement) || element.matches("input, .body, .popover")) continue;
    const hides = getComputedStyle(element).overflowX !== "visible" || element.matches(".button, .field, .segmented > *");
    const cut = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    if (element.matches(".clip")) {
      const whole = element.closest("[title]")?.title ?? "";
      if (element.scrollWidth > element.clientWidth + 1 && !whole.includes(element.textContent.trim())) out.push(`${name(element)} is cut, and no title says the whole`);
    } else if (cut && hides) {
      out.push(`${name(element)} does not fit: ${element.scrollWidth} × ${element.scrollHeight} in ${element.clientWidth} × ${element.clientHeight}`);
    }
  }
  // Lines of text, as they are drawn; what is scrolled away is not.
  const body = document.querySelector(`${root} > .body`)?.getBoundingClientRect();
  const lines = [];
  const walker = document.createTreeWalker(document.querySelector(root), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest(".vh, clipPath")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const frame = parent.closest(".clip")?.getBoundingClientRect();
    for (const { left, right, top, bottom } of range.getClientRects()) {
      const line = { node, left, right: Math.min(right, frame?.right ?? right), top, bottom };
      if (body && parent.closest(".body")) Object.assign(line, { top: Math.max(top, body.top), bottom: Math.min(bottom, body.bottom) });
      if (line.right - line.left > 1 && line.bottom > line.top) lines.push(line);
    }
  }
  for (const [n, one] of lines.entries()) {
    for (const other of lines.slice(n + 1)) {
      if (one.node === other.node) continue;
      const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const along = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      // Lines of one text may touch: that is its leading.
      if (across > 1 && along > 3) out.push(`“${one.node.data.trim().slice(0, 30)}” lies on “${other.node.data.trim().slice(0, 30)}”`);
    }
  }
  return out;
}

/** Whatever moves, or would if it changed. */
export function moving() {
  const out = document.getAnimations().map((one) => `${one.animationName ?? one.transitionProperty} runs on ${one.effect.target.getAttribute("class")}`);
  const lasts = (times) => times.split(",").some((time) => parseFloat(time) > 0);
  for (const element of document.querySelectorAll("body, body *")) {
    for (const part of [null, "::before", "::after"]) {
      const style = getComputedStyle(element, part);
      const moves = (style.transitionProperty !== "none" && lasts(style.transitionDuration)) || (style.animationName !== "none" && lasts(style.animationDuration));
      if (moves) out.push(`${element.tagName.toLowerCase()}.${element.getAttribute("class")}${part ?? ""} moves`);
    }
  }
  return out;
}

/** Whatever something shines through. */
export function translucent(root) {
  const out = [];
  const alpha = (color) => (/^rgba|\/ /.test(color) ? Number(/[,/] *([\d.]+)\)$/.exec(color)?.[1] ?? 1) : color === "transparent" ? 0 : 1);
  for (const element of document.querySelectorAll(`html, body, ${root}, ${root} *`)) {
    const name = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
    for (const part of [null, "::before", "::after"]) {
      const style = getComputedStyle(element, part);
      if (part && style.content === "none") continue;
      if (style.display === "none" || element.closest(".vh")) continue;
      const ground = alpha(style.backgroundColor);
      if (ground > 0 && ground < 1) out.push(`${name}${part ?? ""} has the ground ${style.backgroundColor}`);
      if (style.backdropFilter && style.backdropFilter !== "none") out.push(`${name}${part ?? ""} has ${style.backdropFilter}`);
      if (style.backgroundImage.includes("gradient")) out.push(`${name}${part ?? ""} fades`);
      if (Number(style.opacity) < 1) out.push(`${name}${part ?? ""} has the opacity ${style.opacity}`);
    }
  }
  return out;
}

/** Numbers that would jump: figures of different widths. */
export function jumping(root) {
  const out = [];
  for (const element of document.querySelectorAll(`${root} *`)) {
    const text = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("");
    if (/\d/.test(text) && !element.matches(".big") && !getComputedStyle(element).fontVariantNumeric.includes("tabular-nums")) out.push(`${element.className} “${text.trim().slice(0, 30)}” has figures that are not tabular`);
  }
  return out;
}
