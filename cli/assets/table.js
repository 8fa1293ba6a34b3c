// The items as a table: the equal way to what the map shows, 100 rows a page, with the same filter.

import { get, pathOf } from './api.js';
import { glyph, h, set } from './dom.js';
import { PHASES, number } from './words.js';

const PAGE = 100;

export class ItemTable {
  constructor(on) {
    this.on = on;
    this.element = h('div', { class: 'items' });
    this.starts = [0];
    this.shown = new Set();
  }

  /** Shows the page with these items, or reads the one that is shown again. */
  async load(task, from) {
    this.task = task;
    if (from !== undefined) this.starts = from === 0 ? [0] : [...this.starts.filter((s) => s < from), from];
    this.abort?.abort();
    const abort = this.abort = new AbortController(), start = this.starts.at(-1);
    const phases = [...this.shown].map((p) => `&phase=${PHASES[p]}`).join('');
    try {
      this.page = await get(`${pathOf(task)}/items?from=${start}&limit=${PAGE}${phases}`, abort.signal);
      this.read = Date.now();
      this.draw();
    } catch (error) {
      if (error.name !== 'AbortError') set(this.element, h('p', { class: 'empty' }, error.message));
    }
  }

  /** News: at most a look in two seconds. */
  update(task) {
    if (!this.element.isConnected || Date.now() - (this.read ?? 0) < 2000) return;
    this.read = Date.now();
    this.load(task);
  }

  filter(phases) {
    this.shown = phases;
    this.starts = [0];
    if (this.task && this.element.isConnected) this.load(this.task);
  }

  draw() {
    const { items, next, unknown } = this.page;
    const row = (item) => h('tr', {},
      h('td', { class: 'name' }, h('a', { href: this.on.address(item.index), 'data-key': `row-${item.index}` }, number(item.index))),
      h('td', {}, h('span', { class: 'phase' }, glyph(item.phase), item.phase)),
      h('td', { class: 'num wide' }, number(item.attempts)),
      h('td', { class: 'mono clip', title: item.value }, item.value ?? '-'),
      h('td', { class: 'mono clip wide', title: item.result }, item.result ?? '-'),
      h('td', { class: 'wide' }, item.why ?? '-'));
    const head = [['Item'], ['Phase'], ['Attempts', 'num wide'], ['Value'], ['Result', 'wide'], ['Why', 'wide']];
    const button = (key, label, act, off) => h('button', { class: 'btn sm', type: 'button', 'data-key': key,
      'aria-disabled': off ? 'true' : null, onclick: () => { if (!off) act(); } }, label);
    set(this.element,
      unknown ? h('p', { class: 'hint soft small' }, `Values are not known: ${unknown}`) : null,
      items.length === 0 ? h('p', { class: 'empty' }, 'No item is in these phases.') : h('table', { class: 'list' },
        h('caption', { class: 'unseen' }, 'Items'),
        h('thead', {}, h('tr', {}, head.map(([words, kind]) => h('th', { scope: 'col', class: kind }, words)))),
        h('tbody', {}, items.map(row))),
      h('div', { class: 'pages' },
        button('first', 'First', () => this.load(this.task, 0), this.starts.length === 1),
        button('before', 'Previous', () => { this.starts.pop(); this.load(this.task); }, this.starts.length === 1),
        button('after', 'Next', () => this.load(this.task, next), next === null),
        h('span', { class: 'soft small' }, items.length ? `Items ${number(items[0].index)} to ${number(items.at(-1).index)}` : '')));
  }
}
