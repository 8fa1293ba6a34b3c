// All tasks: a table that stays current, with filters.

import { Stream, isFinal } from './api.js';
import { bar } from './bar.js';
import { glyph, h, set } from './dom.js';
import { age, counted, number, percent, rate, since, span } from './words.js';

/** Most rows that are drawn; a filter finds the others. */
const MOST = 300;
const WORDS = ['Running', 'Pending', 'Listing', 'Suspended', 'Reducing', 'Failed', 'Succeeded'];
const ENDED = new Set(['Succeeded', 'Failed']);

export class ListView {
  constructor(about) {
    this.all = about.scope === 'all';
    this.rows = new Map();
    this.filter = { phase: '', namespace: '', text: '' };
    this.ready = false;
    this.build(about);
    this.stream = new Stream('/api/events', {
      row: (row) => this.take(row),
      gone: (gone) => { this.rows.delete(`${gone.namespace}/${gone.name}`); this.soon(); },
      // A list again after an interruption: what it does not have is gone.
      start: () => { this.old = new Set(this.rows.keys()); },
      ready: () => this.whole(),
      refused: (error) => this.refused(error),
    });
    this.clock = setInterval(() => this.soon(), 10_000);
  }

  build(about) {
    const change = (key) => (event) => { this.filter[key] = event.target.value; this.draw(); };
    const select = (key, label, first) => h('select', { 'aria-label': label, 'data-key': `filter-${key}`, onchange: change(key) }, h('option', { value: '' }, first));
    this.phase = select('phase', 'Phase', 'all phases');
    for (const word of WORDS) this.phase.append(h('option', { value: word }, word));
    this.namespace = select('namespace', 'Namespace', 'all namespaces');
    this.search = h('input', { type: 'search', placeholder: 'Name or reason', 'aria-label': 'Name or reason', oninput: change('text') });
    this.count = h('span', { class: 'soft' });
    this.body = h('div', {}, h('p', { class: 'empty' }, 'Reading…'));
    this.element = h('div', {},
      h('div', { class: 'title' }, h('div', {}, h('h1', {}, 'Tasks'), h('p', {}, this.all ? 'of all namespaces' : `of namespace ${about.namespace}`))),
      h('section', { class: 'card more', 'aria-label': 'Tasks' }, h('div', { class: 'head' }, this.count, h('span', { class: 'grow' }),
        h('label', { class: 'field' }, this.search), h('label', { class: 'field' }, this.phase), this.all ? h('label', { class: 'field' }, this.namespace) : null), this.body));
  }

  close() {
    this.stream.close();
    clearInterval(this.clock);
    clearTimeout(this.later);
  }

  open() {}

  take(row) {
    const key = `${row.namespace}/${row.name}`;
    this.old?.delete(key);
    this.rows.set(key, row);
    this.soon();
  }

  /** Rows that were read stay, unless they may not be read any more. */
  refused(error) {
    const final = isFinal(error);
    if (final) this.ready = false;
    if (!this.ready) set(this.body, h('p', { class: 'empty' }, error.message, error.hint ? h('code', {}, error.hint) : null));
    return final;
  }

  whole() {
    for (const key of this.old ?? []) this.rows.delete(key);
    this.old = null;
    this.ready = true;
    this.soon();
  }

  soon() {
    if (!this.later) this.later = setTimeout(() => { this.later = 0; this.draw(); }, this.ready ? 300 : 50);
  }

  /** Tasks that have not ended first, then the newest. */
  chosen() {
    const { phase, namespace, text } = this.filter, wanted = text.toLowerCase();
    const fits = (row) => (!phase || row.phase === phase) && (!namespace || row.namespace === namespace)
      && (!wanted || `${row.name} ${row.reason}`.toLowerCase().includes(wanted));
    const order = (a, b) => ENDED.has(a.phase) - ENDED.has(b.phase) || (b.created ?? '').localeCompare(a.created ?? '') || a.name.localeCompare(b.name);
    return [...this.rows.values()].filter(fits).sort(order);
  }

  draw() {
    if (!this.ready) return;
    const rows = this.chosen(), open = [...this.rows.values()].filter((row) => !ENDED.has(row.phase)).length;
    this.count.textContent = `${counted(this.rows.size, 'task', 'tasks')}, ${number(open)} not ended`;
    document.title = `${counted(open, 'task', 'tasks')} · MapTask`;
    const names = [...new Set([...this.rows.values()].map((row) => row.namespace))].sort();
    if (names.join() !== this.names) {
      this.names = names.join();
      set(this.namespace, h('option', { value: '' }, 'all namespaces'), names.map((name) => h('option', { value: name }, name)));
      this.namespace.value = this.filter.namespace = names.includes(this.filter.namespace) ? this.filter.namespace : '';
    }
    if (rows.length === 0) {
      const none = this.rows.size ? 'No task fits the filter.' : ['There is no task yet.', h('code', {}, 'kubectl maptask run hello --image busybox:1.36 --count 10 -- echo')];
      set(this.body, h('p', { class: 'empty' }, none));
      return;
    }
    const head = [['Name'], this.all ? ['Namespace', 'wide'] : null, ['Phase'], ['Progress', 'wide'], ['Done', 'num'], ['Failed', 'num'], ['Rate', 'num wide'], ['Left', 'num wide'],
      ['Reason', 'wide'], ['Age', 'num wide']].filter(Boolean);
    set(this.body, h('div', { class: 'scroll' }, h('table', { class: 'list' }, h('caption', { class: 'unseen' }, 'Tasks'),
      h('thead', {}, h('tr', {}, head.map(([words, kind]) => h('th', { scope: 'col', class: kind }, words)))),
      h('tbody', {}, rows.slice(0, MOST).map((row) => this.row(row))))),
    rows.length > MOST ? h('p', { class: 'empty' }, `${number(rows.length - MOST)} more: narrow the filter to see them.`) : null);
  }

  row(row) {
    const items = row.items ?? 0, good = Math.max(0, (row.ended ?? 0) - row.failed);
    const counts = { succeeded: good, cached: 0, running: row.running, failed: row.failed, cancelled: 0 };
    const path = `#/${row.namespace}/${row.name}`, known = row.items !== null && row.ended !== null;
    const done = known ? `${number(row.ended)}/${number(items)}` : '-';
    return h('tr', {},
      h('td', { class: 'name' }, h('a', { href: path, 'data-key': `task-${path}` }, row.name)),
      this.all ? h('td', { class: 'wide' }, row.namespace) : null,
      h('td', {}, h('span', { class: 'phase' }, glyph(row.phase), row.phase)),
      h('td', { class: 'wide' }, bar(counts, items, undefined, known ? `${percent(row.ended, items)} percent done` : 'not known yet')),
      h('td', { class: 'num', title: done }, h('span', { class: 'wide' }, done, ' '), known ? h('span', { class: 'soft' }, `${percent(row.ended, items, 0)} %`) : null),
      h('td', { class: `num${row.failed ? ' red' : ''}` }, number(row.failed)),
      h('td', { class: 'num wide' }, row.rate === null || ENDED.has(row.phase) ? '-' : `${rate(row.rate)}/s`),
      h('td', { class: 'num wide' }, row.left === null ? '-' : span(row.left)),
      h('td', { class: 'wide', title: row.message }, row.reason || '-'),
      h('td', { class: 'num wide' }, row.created ? age(since(row.created)) : '-'));
  }
}
