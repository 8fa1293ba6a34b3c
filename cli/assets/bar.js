// The bar of a task: successes from the left, failures from the right, and the line that decides.

import { s } from './dom.js';

/** Least share of the bar, in percent, for what is there at all. */
const LEAST = 0.4;

let patterns = 0;

/** The bar. `required` is null where no line is drawn, as in a table. */
export function bar(counts, items, required, label) {
  const mini = required === undefined, id = patterns++ % 1000;
  const share = (n) => (n > 0 && items > 0 ? Math.max(LEAST, 100 * n / items) : 0);
  const top = mini ? 0 : 4, high = mini ? 10 : 16;
  const rect = (x, width, fill, more) => s('rect', { x: `${x}%`, y: top, width: `${Math.max(0, Math.min(width, 100 - x))}%`, height: high, fill, ...more });
  const parts = [rect(0, 100, 'var(--sunk)', { rx: 3, stroke: 'var(--edge)' })];
  const failed = share(counts.failed), cancelled = share(counts.cancelled);
  if (required !== undefined && required > 0 && required < items) {
    const from = 100 * required / items;
    parts.push(rect(from, 100 - from, 'var(--failed)', { opacity: .2 }));
  }
  let x = 0;
  const left = (n, fill) => {
    const width = Math.min(share(n), Math.max(0, 100 - failed - x));
    if (width > 0) parts.push(rect(x, width, fill));
    x += width;
  };
  left(counts.succeeded, 'var(--succeeded)');
  left(counts.cached, `url(#cached${id})`);
  left(counts.running, `url(#running${id})`);
  if (cancelled) {
    const width = Math.min(cancelled, Math.max(0, 100 - failed - x));
    parts.push(s('rect', { x: `${100 - failed - width}%`, y: top + high * .35, width: `${width}%`, height: high * .3, fill: 'var(--cancelled)' }));
  }
  if (failed) parts.push(rect(100 - failed, failed, 'var(--failed)'));
  if (required !== undefined && required > 0 && required < items) {
    const at = `${100 * required / items}%`;
    parts.push(s('line', { x1: at, x2: at, y1: 0, y2: 24, stroke: 'var(--card)', 'stroke-width': 5 }),
      s('line', { x1: at, x2: at, y1: 0, y2: 24, stroke: 'var(--ink)', 'stroke-width': 2 }));
  }
  // Stripes as on the map: diagonal ones are cached, upright ones run.
  const hatch = (name, wide, turn) => s('pattern', { id: `${name}${id}`, width: wide, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: `rotate(${turn})` },
    s('rect', { width: wide, height: 7, fill: `var(--${name})` }), s('rect', { width: 2, height: 7, fill: 'var(--card)', opacity: name === 'cached' ? .28 : .6 }));
  return s('svg', { class: mini ? 'mini' : 'bar', role: 'img', 'aria-label': label }, s('defs', {}, hatch('cached', 7, 45), hatch('running', 5, 0)), parts);
}
