// Elements, made without markup: what is shown is text nodes, so that no value can become part of the page.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? '' : String(value));
  }
  put(element, children);
  return element;
}

/** Appends children: nodes, texts, numbers, lists of them. null is none. */
function put(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** An element of HTML. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
/** An element of SVG. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
/** The element of the page with that id. */
export const byId = (id) => document.getElementById(id);

/** The element under a pointer that is pressed, and what is to be drawn around it after the release. */
let pressed = null;
const later = new Map();

function release() {
  pressed = null;
  for (const [element, children] of later) set(element, ...children);
  later.clear();
}

addEventListener('pointerdown', (event) => { pressed = event.target; }, true);
// The click comes after the release.
for (const end of ['pointerup', 'pointercancel', 'blur']) addEventListener(end, () => setTimeout(release, 50), true);

/** Replaces what an element has in it. A button that is pressed stays until it is released, otherwise its click is lost. */
export function set(element, ...children) {
  if (pressed && element !== pressed && element.contains(pressed)) {
    later.set(element, children);
    return element;
  }
  const before = document.activeElement;
  const key = before instanceof HTMLElement && element.contains(before) ? before.dataset.key : undefined;
  element.replaceChildren();
  put(element, children);
  // What had the focus keeps it, when it was drawn again.
  if (key) element.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
  return element;
}

/** Sets a text only if it differs: a screen reader is not disturbed, a selection stays. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

const SHAPES = {
  Succeeded: () => s('path', { fill: 'var(--succeeded)', d: 'M1 1h10v10H1z' }),
  Cached: () => s('path', { fill: 'var(--cached)', d: 'M1 1l10 10H1z' }),
  Running: () => s('path', { fill: 'none', stroke: 'var(--running)', 'stroke-width': 2.4, d: 'M2.2 2.2h7.6v7.6H2.2z' }),
  Failed: () => [s('path', { fill: 'var(--failed)', d: 'M0 0h12v12H0z' }),
    s('path', { stroke: 'var(--card)', 'stroke-width': 1.7, d: 'M3.2 3.2l5.6 5.6m0-5.6L3.2 8.8' })],
  Pending: () => s('path', { fill: 'var(--pending)', d: 'M4 4h4v4H4z' }),
  Cancelled: () => s('path', { fill: 'var(--cancelled)', d: 'M1 4.7h10v2.6H1z' }),
  Again: () => s('path', { fill: 'none', stroke: 'var(--soft)', 'stroke-width': 1.7, d: 'M10 6a4 4 0 1 1-1.2-2.8M9.4.6v3H6.5' }),
  Suspended: () => s('path', { fill: 'var(--amber-text)', d: 'M2 1h3v10H2zM7 1h3v10H7z' }),
};
SHAPES.Reducing = SHAPES.Listing = SHAPES.Running;

/** The sign of a phase; its word stands beside it. */
export const glyph = (phase) => s('svg', { class: 'glyph', viewBox: '0 0 12 12', 'aria-hidden': 'true' },
  (SHAPES[phase] ?? SHAPES.Pending)());

/** A command with a button that copies it. */
export function command(line, key) {
  const code = h('code', {}, line);
  const button = h('button', { type: 'button', 'data-key': key, 'aria-label': 'Copy the command' }, 'Copy');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      text(button, 'Copied');
      say('Copied');
    } catch {
      // No right to the clipboard: the command is selected, to be copied by hand.
      getSelection().selectAllChildren(code);
      text(button, 'Selected');
    }
    setTimeout(() => text(button, 'Copy'), 1500);
  });
  return { element: h('div', { class: 'cmd' }, h('span', { 'aria-hidden': 'true' }, '$'), code, button), code };
}

let saying = 0;
/** Says something to a screen reader, once. */
export function say(words) {
  const place = byId('say');
  place.textContent = '';
  clearTimeout(saying);
  saying = setTimeout(() => { place.textContent = words; }, 60);
}
