// Keeps a keyboard near where it was, when what it was on goes away: a notice that ended, a question that was answered.

/** Watches `page` until the function that it returns is called. */
export function keepFocus(page: HTMLElement): () => void {
  /** What had the focus, and what it stood in, nearest first. */
  let path: HTMLElement[] = [];

  function remember({ target }: FocusEvent) {
    path = [];
    for (let at = target instanceof HTMLElement ? target : null; at && at !== page; at = at.parentElement) path.push(at);
  }

  /** Whoever points at nothing has no place in the page any more. */
  function forget({ target }: PointerEvent) {
    if (target instanceof Element && !target.closest("button, input, [tabindex]")) path = [];
  }

  function look() {
    const [last] = path;
    const lost = last !== undefined && (!last.isConnected || last.matches(":disabled"));
    if (!lost || (document.activeElement !== last && document.activeElement !== document.body)) return;
    for (const near of [...path, page]) {
      const next = near.isConnected ? near.querySelector<HTMLElement>("button:not([disabled]), input, [tabindex='0']") : null;
      if (!next) continue;
      next.focus({ preventScroll: true });
      return;
    }
  }

  const observer = new MutationObserver(look);
  observer.observe(page, { childList: true, subtree: true });
  page.addEventListener("focusin", remember);
  page.addEventListener("pointerdown", forget);
  return () => {
    observer.disconnect();
    page.removeEventListener("focusin", remember);
    page.removeEventListener("pointerdown", forget);
  };
}
