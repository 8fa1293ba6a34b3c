// Spec, conditions and events: collapsed, and read when they are opened.

import { get, pathOf } from './api.js';
import { h, set, text } from './dom.js';
import { clock } from './words.js';

export class Details {
  constructor() {
    this.spec = this.part('spec', 'Spec', () => this.loadSpec());
    this.conditions = this.part('conditions', 'Conditions', () => this.drawConditions());
    this.events = this.part('events', 'Events', () => this.loadEvents());
    this.element = h('section', { class: 'card more', 'aria-label': 'Spec, conditions and events' },
      this.spec.element, this.conditions.element, this.events.element);
  }

  part(key, title, open) {
    const body = h('div', {});
    const element = h('details', {}, h('summary', { 'data-key': `more-${key}` }, title), body);
    element.addEventListener('toggle', () => { if (element.open) open(); });
    return { element, body };
  }

  update(task) {
    const changed = this.task?.generation !== task.generation;
    this.task = task;
    if (changed && this.spec.element.open) this.loadSpec();
    if (this.conditions.element.open) this.drawConditions();
  }

  async loadSpec() {
    const pre = h('pre', {});
    try {
      text(pre, (await get(`${pathOf(this.task)}/spec`)).text);
      set(this.spec.body, pre, h('p', { class: 'soft small' }, 'Values of environment variables are left out.'));
    } catch (error) {
      set(this.spec.body, h('p', { class: 'soft' }, error.message));
    }
  }

  table(head, rows, none) {
    if (rows.length === 0) return h('p', { class: 'soft' }, none);
    return h('table', { class: 'list' }, h('thead', {}, h('tr', {}, head.map((words) => h('th', { scope: 'col' }, words)))),
      h('tbody', {}, rows.map((row) => h('tr', {}, row.map((cell) => h('td', {}, cell))))));
  }

  drawConditions() {
    const rows = this.task.conditions.map((c) => [c.type, c.status, c.reason, c.message, clock(c.time)]);
    const drawn = JSON.stringify(rows);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    set(this.conditions.body, this.table(['Type', 'Status', 'Reason', 'Message', 'Since'], rows, 'None yet: the operator has not seen the task.'));
  }

  async loadEvents() {
    try {
      const { events } = await get(`${pathOf(this.task)}/history`);
      const rows = events.map((e) => [e.time ? clock(e.time) : '-', e.type, e.reason, e.count > 1 ? `${e.message} (${e.count} times)` : e.message]);
      set(this.events.body, this.table(['Time', 'Type', 'Reason', 'Message'], rows, 'The cluster has no events of the last hour.'));
    } catch (error) {
      set(this.events.body, h('p', { class: 'soft' }, error.message));
    }
  }
}
