// What failed, in groups of similar attempts.

import { glyph, h, set } from './dom.js';
import { counted, line, number } from './words.js';

/** Outcomes that cost an item nothing: it is tried again. */
const FREE = new Set(['Evicted', 'Preempted', 'NodeLost', 'Lost', 'Deleted', 'Rejected']);

export class Failures {
  constructor(on) {
    this.on = on;
    this.element = h('section', { class: 'card o-failures', id: 'failures', 'aria-labelledby': 'failures-title' });
  }

  update(task) {
    const groups = task.failures, drawn = JSON.stringify([groups, task.counts.failed]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const attempts = groups.reduce((sum, group) => sum + group.attempts, 0);
    const words = groups.length === 0 ? (task.counts.failed ? '' : 'none')
      : [counted(attempts, 'attempt', 'attempts'), ` in ${counted(groups.length, 'group', 'groups')}`,
        h('span', { class: 'wide' }, `, ${counted(task.counts.failed, 'item', 'items')} failed`)];
    const all = line(task, 'logs', '--failed --tail 20');
    set(this.element, h('div', { class: 'head' }, h('h2', { id: 'failures-title' }, 'Failures'), h('span', { class: 'soft' }, words),
      h('span', { class: 'grow' }), groups.length ? this.shower('all-logs', 'All logs', 'All logs (shows the command)', all) : null),
    groups.length ? h('div', { class: 'groups' }, groups.map((group, place) => this.group(task, group, place))) : null);
  }

  /** A button that shows a command. */
  shower(key, label, words, command, act) {
    const show = () => this.on.command(command);
    return h('button', { class: 'btn sm', type: 'button', 'data-key': key, title: command, 'aria-label': words, onpointerenter: show, onfocus: show,
      onclick: () => { show(); act?.(); } }, label);
  }

  group(task, group, place) {
    const { sample } = group, free = FREE.has(group.category);
    const first = [`first: item ${number(sample.index)}, attempt ${sample.attempt}`, sample.node ? `, ${sample.node}` : '',
      free ? '; tried again at no cost to the items' : ''];
    return h('div', { class: 'group' },
      h('h3', {}, glyph(free ? 'Again' : 'Failed'), h('span', {}, group.category, ' ', group.detail ? h('small', {}, group.detail) : null)),
      h('div', { class: 'what' }, h('p', { class: 'mono text', title: sample.message }, group.words), h('p', { class: 'sub' }, first)),
      h('div', { class: 'n', title: `${counted(group.attempts, 'attempt', 'attempts')} of ${counted(group.items, 'item', 'items')}` },
        number(group.attempts), ' ', h('small', { class: 'unit' }, group.attempts === 1 ? 'attempt' : 'attempts')),
      h('div', { class: 'which', title: group.indexes }, group.indexes, h('small', { class: 'unit' }, group.items === 1 ? 'item' : `${number(group.items)} items`)),
      h('div', { class: 'row buttons' },
        h('button', { class: 'btn sm', type: 'button', 'data-key': `show-${place}`, 'aria-label': `Show item ${sample.index} on the map`,
          onclick: () => this.on.locate(sample.index) }, 'Show'),
        this.shower(`log-${place}`, 'Log', `Log of item ${sample.index}`, line(task, 'logs', String(sample.index)), () => this.on.open(sample.index))));
  }
}
