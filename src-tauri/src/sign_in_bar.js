// Put on the Hub's page in the sign-in window: what a person compares, and the way to the browser, always in sight.
// The window's title says the same where no page can change it; the button only asks for an address that the window
// turns into opening the browser.
((name, code) => {
  if (window !== window.top) return;
  const part = (tag, text, style) => {
    const element = document.createElement(tag);
    element.textContent = text;
    element.style.cssText = style;
    return element;
  };
  const show = () => {
    const dark = matchMedia('(prefers-color-scheme: dark)').matches;
    const [ground, ink, soft, link] = dark
      ? ['#262629', '#f5f5f7', '#a9a9b0', '#5ab0ff']
      : ['#f7f7f9', '#1d1d1f', '#5f5f66', '#0a5cb0'];
    const bar = part('div', '', 'all: initial; position: fixed; inset: auto 0 0 0; z-index: 2147483647; display: block');
    const text = 'font: 13px/18px -apple-system, system-ui, sans-serif; margin: 0; overflow-wrap: anywhere;';
    const box = part('section', '', `box-sizing: border-box; padding: 9px 14px; background: ${ground}; border-top: 1px solid ${soft}`);
    box.setAttribute('aria-label', 'Porten');
    const who = part('p', 'You are connecting this Mac: ', `${text} color: ${ink}`);
    who.append(part('b', name, ''), ' · code ', part('b', code, 'letter-spacing: 0.04em'));
    const why = part('p', 'Go on only if the page shows the same code.', `${text} color: ${soft}`);
    const out = part(
      'button',
      'Open in the browser instead',
      `${text} padding: 0; border: 0; background: none; text-decoration: underline; cursor: pointer; color: ${link}`,
    );
    out.addEventListener('click', () => {
      location.href = 'porten:browser';
    });
    box.append(who, why, out);
    bar.attachShadow({ mode: 'closed' }).append(box);
    document.documentElement.append(bar);
    // The page's own end stays in reach.
    document.documentElement.style.paddingBottom = '88px';
  };
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', show);
  else show();
})
