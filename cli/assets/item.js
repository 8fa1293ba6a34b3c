// One item: value, attempts, result, pod, and the last lines of its log. Fetched when it is open, and no other.

import { get, pathOf } from './api.js';
import { glyph, h, set, text } from './dom.js';
import { line, number, PHASES } from './words.js';

/** Changes of the open item are read again at most this often. */
const AGAIN = 2000;

export class ItemPanel {
  constructor(on) {
    this.on = on;
    this.element = h('section', { class: 'card item o-item', 'aria-labelledby': 'item-title' });
    this.index = null;
    this.show(null);
  }

  /** Opens an item, or none. */
  show(index, task) {
    this.index = index;
    this.found = this.log = this.wrong = null;
    this.task = task ?? this.task;
    this.abort?.abort();
    if (index === null) {
      set(this.element, h('div', { class: 'line' }, h('h2', { id: 'item-title' }, 'Item')),
        h('p', { class: 'soft small' }, 'Choose an item on the map or in the table: its value, result and log are shown here.'));
      return;
    }
    this.draw();
    this.load();
  }

  async load() {
    const abort = this.abort = new AbortController(), path = `${pathOf(this.task)}/items/${this.index}`;
    this.read = Date.now();
    try {
      this.found = await get(path, abort.signal);
      this.draw();
      this.log = await get(`${path}/log`, abort.signal);
      this.draw();
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.wrong = error.message;
      this.draw();
    }
  }

  /** The phases have changed: what is shown may be old. */
  update(phases, task) {
    this.task = task;
    if (this.index === null || !this.found || this.index >= phases.length) return;
    const changed = PHASES[phases[this.index]] !== this.found.phase || this.found.phase === 'Running';
    if (changed && !this.again && Date.now() - this.read > AGAIN) {
      this.again = setTimeout(() => { this.again = 0; if (this.index !== null) this.load(); }, 200);
    }
  }

  draw() {
    const { index, found, log, task } = this;
    const button = (key, label, words, act, off) => h('button', { class: 'btn sm', type: 'button', 'data-key': `item-${key}`,
      'aria-label': words, 'aria-disabled': off ? 'true' : null, onclick: () => { if (!off) act(); } }, label);
    const command = line(task, 'logs', String(index));
    const logs = h('button', { class: 'btn sm', type: 'button', 'data-key': 'item-log', title: command, 'aria-label': `Log of item ${index} (shows the command)`,
      onclick: () => this.on.command(command), onfocus: () => this.on.command(command), onpointerenter: () => this.on.command(command) }, 'Log');
    const head = h('div', { class: 'line' }, glyph(found?.phase), h('h2', { id: 'item-title', tabindex: '-1', 'data-key': 'item-title' }, `Item ${number(index)}`),
      h('span', { class: 'soft' }, found ? found.phase.toLowerCase() : ''),
      h('div', { class: 'row' }, logs, button('back', '‹', 'Previous item', () => this.on.open(index - 1), index === 0),
        button('next', '›', 'Next item', () => this.on.open(index + 1), index + 1 >= (task.items ?? 0)),
        button('close', '×', 'Close the item', () => this.on.open(null))));
    const pairs = found ? this.pairs(found, task) : h('p', { class: 'soft small' }, this.wrong ?? 'Reading…');
    set(this.element, head, pairs, log ? this.lines(log) : null);
    const pre = this.element.querySelector('pre');
    if (pre) pre.scrollTop = pre.scrollHeight;
  }

  pairs(item, task) {
    const pair = (name, value, soft) => [h('dt', {}, name), h('dd', { class: soft ? 'soft' : 'mono' }, value)];
    const newest = item.pods.at(-1), none = this.noResult(item.phase, task);
    return h('dl', { class: 'pairs' },
      item.value === null ? pair('Value', item.unknown ?? 'not known', true) : pair('Value', item.value),
      pair('Attempts', item.attempts === 0 ? (item.phase === 'Cached' ? 'none, its result was known' : 'none yet') : number(item.attempts), true),
      item.why ? pair('Why', item.why) : null,
      item.result === null ? pair('Result', none, true) : pair('Result', item.result),
      task.workers ? this.worker(pair) : newest ? pair('Pod', [newest.name, h('span', { class: 'soft' }, newest.node ? ` on ${newest.node}` : ' on no node yet')])
        : pair('Pod', 'none that still exists', true));
  }

  /** Only its log says which of the workers had the item. */
  worker(pair) {
    return this.log?.pod ? pair('Worker', this.log.pod) : pair('Worker', 'known by its log only', true);
  }

  noResult(phase, task) {
    if (phase === 'Failed' || phase === 'Cancelled') return 'none, since it did not succeed';
    if (phase === 'Pending' || phase === 'Running') return 'none yet';
    return task.hasResults ? 'null' : 'none is stored';
  }

  lines(log) {
    const shown = [];
    if (log.lines.length) {
      const pre = h('pre', { class: 'log', role: 'region', tabindex: '0', 'aria-label': `Log of ${log.pod}`, 'data-key': 'item-lines' });
      text(pre, log.lines.join('\n'));
      shown.push(pre);
    }
    if (log.note) shown.push(h('p', { class: 'lognote' }, log.note));
    return shown;
  }
}
