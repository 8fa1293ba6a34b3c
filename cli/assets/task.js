// One task, from top to bottom in the order of the questions: is it well, why is it slow, where, what failed, this one.

import { Stream, bytes, get, isFinal, pathOf } from './api.js';
import { Actions, hasEnded } from './actions.js';
import { Details } from './details.js';
import { glyph, h, s, say, set, text } from './dom.js';
import { Failures } from './failures.js';
import { Figures } from './figures.js';
import { ItemPanel } from './item.js';
import { ItemMap } from './map.js';
import { unpack } from './planes.js';
import { plots } from './plot.js';
import { ItemTable } from './table.js';
import { clock, counted, number, percent, since, span, spaced } from './words.js';

/** Least time between two reads of the planes. */
const PLANES = 250;

/** What to do, as a sentence. */
const advice = (action) => `${action.charAt(0).toUpperCase()}${action.slice(1)}.`.replace(/^Nothing:/, 'Nothing to do:');

export class TaskView {
  constructor(about, namespace, name) {
    this.name = { namespace, name };
    this.base = `#/${namespace}/${name}`;
    this.task = null;
    this.phases = new Uint8Array(0);
    const open = (index) => { location.hash = index === null ? this.base : `${this.base}/${index}`; };
    const command = (words) => this.actions.show(words);
    this.actions = new Actions(about);
    this.actions.on = { done: (offer, message) => { if (offer.verb === 'delete') location.hash = '#/'; else this.note(message); } };
    this.figures = new Figures({ filter: (phases) => { this.map.filter(phases); this.table.filter(phases); } });
    this.map = new ItemMap({ open, say, table: () => this.choose('table'), scale: (words, zoom, last) => this.scale(words, zoom, last),
      known: (index) => (this.item.index === index && this.item.found?.why) || null });
    this.table = new ItemTable({ address: (index) => `${this.base}/${index}` });
    this.item = new ItemPanel({ open, command });
    this.failures = new Failures({ open, command, locate: (index) => this.locate(index) });
    this.details = new Details();
    this.build();
    this.stream = new Stream(`${pathOf(this.name)}/events`, {
      task: (task) => this.take(task), gone: () => this.gone(), refused: (error) => this.refused(error),
    });
    get(`/api/rights?namespace=${encodeURIComponent(namespace)}`).then((rights) => this.actions.allow(rights), () => {});
    this.clock = setInterval(() => { if (this.task) this.head(); }, 5000);
  }

  build() {
    this.heading = h('div', {});
    this.notes = h('div', {});
    this.waiting = h('section', { class: 'card wait o-wait', 'aria-labelledby': 'wait-title', hidden: true });
    this.plots = h('section', { class: 'card o-plots', 'aria-label': 'Rate and progress' });
    this.scaleWords = h('span', { class: 'soft' });
    const goTo = h('input', { inputmode: 'numeric', 'aria-label': 'Number of the item to go to', id: 'goto' });
    goTo.addEventListener('keydown', (event) => { if (event.key === 'Enter') this.goto(goTo.value); });
    const zoom = (label, words, by) => h('button', { type: 'button', 'aria-label': words, 'data-zoom': by,
      onclick: () => this.map.zoomTo(by === 0 ? 0 : this.map.zoom + by) }, label);
    this.zooms = h('span', { class: 'choice', role: 'group', 'aria-label': 'Zoom' }, zoom('−', 'Zoom out', -1), zoom('Fit', 'Show the whole list', 0), zoom('+', 'Zoom in', 1));
    const view = (key, words) => h('button', { type: 'button', 'data-view': key, onclick: () => this.choose(key) }, words);
    this.views = h('span', { class: 'choice', role: 'group', 'aria-label': 'View' }, view('map', 'Map'), view('table', 'Table'));
    this.hint = h('p', { class: 'hint soft small' }, 'Tap a square to come closer, and an item to open it.');
    this.place = h('div', {});
    const items = h('section', { class: 'card o-map', 'aria-labelledby': 'items-title' },
      h('div', { class: 'head' }, h('h2', { id: 'items-title' }, 'Items'), this.scaleWords, h('span', { class: 'grow' }),
        h('label', { class: 'field wide' }, h('span', {}, 'Go to'), goTo), this.zooms, this.views), this.place);
    this.body = h('div', { hidden: true }, h('div', { class: 'title' }, this.heading, this.actions.element), this.notes, this.figures.element,
      h('div', { class: 'cols' }, h('div', {}, items, this.failures.element), h('div', {}, this.waiting, this.plots, this.item.element)), this.details.element);
    this.empty = h('p', { class: 'empty' }, `Reading ${this.name.name}…`);
    this.element = h('div', {}, this.empty, this.body);
    this.choose('map');
    this.sized = new ResizeObserver(() => this.plot());
    this.sized.observe(this.plots);
  }

  close() {
    this.stream.close();
    this.map.close();
    this.sized.disconnect();
    clearInterval(this.clock);
    clearTimeout(this.fetching);
  }

  /** Opens the item of the address. */
  open(index) {
    this.wanted = index;
    if (!this.task) return;
    if (index !== null && !(index >= 0 && index < (this.task.items ?? 0))) index = null;
    if (index === this.item.index) return;
    this.item.show(index, this.task);
    if (index === null) return;
    if (this.phases.length) this.map.go(index);
    // In one column the item is out of sight. At first the page stays at its top.
    if (this.settled && matchMedia('(max-width: 1180px)').matches) this.item.element.scrollIntoView({ block: 'nearest' });
    this.map.mark();
  }

  goto(value) {
    const index = Number(value.replace(/[, ]/g, ''));
    if (Number.isInteger(index) && index >= 0 && index < this.phases.length) this.locate(index);
    else say(`There is no item ${value}`);
  }

  locate(index) {
    this.choose('map');
    this.map.go(index);
    this.map.grid.focus();
  }

  choose(view) {
    for (const button of this.views.children) button.setAttribute('aria-pressed', String(button.dataset.view === view));
    this.zooms.hidden = this.scaleWords.hidden = view === 'table';
    set(this.place, view === 'map' ? [this.map.element, this.hint] : this.table.element);
    if (view === 'table' && this.task) this.table.load(this.task, 0);
    if (view === 'map') this.map.relayout();
  }

  scale(words, zoom, last) {
    text(this.scaleWords, words);
    const [out, whole, closer] = this.zooms.children;
    out.setAttribute('aria-disabled', String(zoom === 0));
    whole.setAttribute('aria-pressed', String(zoom === 0));
    closer.setAttribute('aria-disabled', String(zoom + 1 >= last));
    this.hint.hidden = !matchMedia('(pointer: coarse)').matches;
  }

  take(task) {
    if (this.task && this.task.uid !== task.uid) this.note('The task was deleted and recreated; this is the new one.');
    this.tell(this.task, task);
    this.task = task;
    this.empty.hidden = true;
    this.body.hidden = false;
    this.head();
    this.actions.update(task);
    this.figures.task = task;
    this.figures.update(task);
    this.wait(task);
    this.failures.update(task);
    this.plot();
    this.details.update(task);
    this.table.update(task);
    this.item.task = task;
    if (task.phases !== this.fetched) this.fetch();
    if (this.wanted !== undefined && this.item.index !== this.wanted) this.open(this.wanted);
    this.settled = true;
    const share = task.items === null ? '' : `${percent(task.ended, task.items, 0)} % · `;
    document.title = `${hasEnded(task) ? `${task.phase} · ` : share}${task.name} · MapTask`;
  }

  /** Reads the planes, one request at a time; what is newest when it ends is read next. */
  async fetch() {
    if (this.busy || !this.task.items || !this.task.phases) return;
    this.busy = true;
    try {
      const { headers, body } = await bytes(`${pathOf(this.name)}/planes`);
      this.fetched = headers.get('ETag')?.replaceAll('"', '');
      this.phases = unpack(body, Number(headers.get('X-Items')));
      this.map.update(this.phases);
      this.item.update(this.phases, this.task);
      if (this.item.index !== null && !this.moved) { this.moved = true; this.map.go(this.item.index); }
    } catch {
      // The stream says that the connection is lost; the next event asks again.
    }
    this.fetching = setTimeout(() => { this.busy = false; if (this.task.phases !== this.fetched) this.fetch(); }, PLANES);
  }

  head() {
    const t = this.task, ago = t.started ? `, started ${clock(t.started)}, ${span(since(t.started))} ago` : ', not started yet';
    const words = [t.items === null ? 'items not read yet' : counted(t.items, 'item', 'items'), h('span', { class: 'wide' }, ` of ${t.source}`), ago,
      t.counts.retried ? h('span', { class: 'wide' }, `, ${counted(t.counts.retried, 'item', 'items')} tried more than once`) : ''];
    const drawn = `${t.phase}|${h('p', {}, words).textContent}|${t.message}|${t.rerun}|${t.result}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    set(this.heading, h('h1', {}, t.name, h('span', { class: 'chip', 'data-phase': t.phase }, glyph(t.phase), t.phase)), h('p', {}, words));
    const message = hasEnded(t) && t.message ? h('p', { class: `note${t.phase === 'Failed' ? ' bad' : ''}` }, t.message) : null;
    const reduced = t.result !== null ? h('p', { class: 'note' }, h('b', {}, 'Result of the reduce: '), h('code', {}, t.result)) : null;
    set(this.notes, message, t.rerun ? h('p', { class: 'note' }, h('b', {}, 'A rerun is requested: '), t.rerun) : null, reduced);
  }

  /** Says something above the figures, until something else is to be said. */
  note(words) {
    set(this.notes, h('p', { class: 'note', role: 'status' }, words));
    this.drawn = null;
    clearTimeout(this.noted);
  }

  wait(task) {
    const w = task.waiting, show = w && w.reason !== 'Concurrency' && !hasEnded(task);
    this.waiting.hidden = !show;
    if (!show) return;
    const glass = s('svg', { width: 14, height: 14, viewBox: '0 0 14 14', 'aria-hidden': 'true' }, s('path', { fill: 'none', stroke: 'currentColor', 'stroke-width': 1.7,
      d: 'M3 1.2h8M3 12.8h8M3.8 1.2v2.3L7 7l3.2-3.5V1.2M3.8 12.8v-2.3L7 7l3.2 3.5v2.3' }));
    const drawn = JSON.stringify(w);
    if (drawn === this.waited) return;
    this.waited = drawn;
    set(this.waiting, h('h2', { id: 'wait-title' }, glass, `Waiting: ${spaced(w.reason)}`, w.since ? h('span', {}, `since ${clock(w.since)}`) : null),
      w.action ? h('p', {}, advice(w.action)) : null, w.message ? h('code', {}, w.message) : null);
  }

  plot() {
    const width = this.plots.clientWidth - 36;
    if (this.task && width > 80) set(this.plots, plots(this.task, width));
  }

  /** For a screen reader: tenths, new groups of failures, another reason to wait, the end. Never each second. */
  tell(old, task) {
    if (!old || old.uid !== task.uid) return;
    const tenth = (t) => (t.items ? Math.floor(10 * t.ended / t.items) : 0);
    const reason = (t) => (t.waiting && t.waiting.reason !== 'Concurrency' ? t.waiting.reason : null);
    if (hasEnded(task) && !hasEnded(old)) say(`${task.name} has ended: ${task.phase}. ${task.message ?? ''}`);
    else if (task.failures.length > old.failures.length) say(`A new failure group: ${task.failures.at(-1).title}, item ${number(task.failures.at(-1).sample.index)}`);
    else if (reason(task) && reason(task) !== reason(old)) say(`${task.name} waits: ${spaced(reason(task))}`);
    else if (tenth(task) > tenth(old)) say(`${percent(task.ended, task.items, 0)} percent done, ${counted(task.counts.failed, 'item', 'items')} failed`);
  }

  gone() {
    if (this.task) this.note('The task was deleted. What is shown is how it was last.');
    else set(this.empty, `There is no task ${this.name.name} in ${this.name.namespace}. `, h('a', { href: '#/' }, 'All tasks'));
  }

  refused(error) {
    set(this.empty, error.message, error.hint ? h('code', {}, error.hint) : null);
    if (this.task) this.note(error.message);
    return isFinal(error);
  }
}
