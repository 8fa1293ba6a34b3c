// Is it well? Done, rate, time left, failures allowed, running; the bar; the number of items in each phase.

import { hasEnded } from './actions.js';
import { bar } from './bar.js';
import { glyph, h, set } from './dom.js';
import { CACHED, CANCELLED, FAILED, PENDING, PHASES, RUNNING, SUCCEEDED, clock, counted, each, number, percent, rate, since, span, spaced } from './words.js';

const ORDER = [SUCCEEDED, CACHED, RUNNING, PENDING, FAILED, CANCELLED];

export class Figures {
  constructor(on) {
    this.on = on;
    this.chosen = new Set();
    this.list = h('dl', { class: 'figures' });
    this.bar = h('div', {});
    this.legend = h('div', { class: 'legend', role: 'group', 'aria-label': 'Show only items in these phases' });
    this.element = h('section', { class: 'card hero', 'aria-label': 'Progress' }, this.list, this.bar, this.legend);
  }

  update(task) {
    const c = task.counts, items = task.items ?? 0;
    const one = (name, big, sub) => h('div', {}, h('dt', {}, name), h('dd', {}, h('div', { class: 'big' }, big), h('div', { class: 'sub', title: sub }, sub)));
    set(this.list, this.done(task, one), this.rate(task, one), this.left(task, one), this.allowed(task, one), this.running(task, one));
    const words = task.items === null ? 'The number of items is not known yet'
      : `${percent(c.succeeded + c.cached, items)} percent succeeded or cached, ${percent(c.failed, items)} percent failed, `
      + `${number(c.running)} running, ${number(c.pending)} pending`;
    set(this.bar, bar(c, items, task.required ?? 0, words));
    this.drawLegend(task, c, items);
  }

  done(task, one) {
    if (task.items === null) return one('Done', '-', 'the list is not read yet');
    return one('Done', `${percent(task.ended, task.items)} %`, `${number(task.ended)} of ${number(task.items)}`);
  }

  rate(task, one) {
    if (hasEnded(task)) {
      const took = task.duration ?? (task.started && task.completed ? (new Date(task.completed) - new Date(task.started)) / 1000 : null);
      const mean = took && task.ended ? [rate(task.ended / took), ' ', h('small', {}, 'items/s')] : '-';
      return one('Rate, in the mean', mean, took === null ? '' : `took ${span(took)}`);
    }
    if (!task.rate) return one('Rate, last minute', '-', task.rate === 0 ? 'nothing ended in the last minute' : 'not known yet');
    const mean = task.counts.running > 0 ? `${each(task.counts.running / task.rate)} an item` : '';
    return one('Rate, last minute', [rate(task.rate), ' ', h('small', {}, 'items/s')], mean);
  }

  left(task, one) {
    if (hasEnded(task)) return one('Ended', task.completed ? clock(task.completed) : '-', task.completed ? `${span(since(task.completed))} ago` : '');
    if (task.left === null) return one('Time left', h('small', {}, 'unknown'), task.leftUnknown ?? '');
    return one('Time left', [h('small', {}, 'about '), span(task.left)], `ends around ${clock(Date.now() + task.left * 1000)}`);
  }

  allowed(task, one) {
    const failed = task.counts.failed;
    if (task.required === null || task.items === null) return one('Failed', number(failed), 'items with no attempts left');
    if (task.required === 0) return one('Failed', number(failed), 'all items run, however many fail');
    const share = percent(task.required, task.items);
    return one('Failures allowed', [number(failed), ' ', h('small', {}, `of ${number(task.items - task.required)} used`)],
      `${number(task.required)} must succeed (${share} %)`);
  }

  running(task, one) {
    const held = task.waiting && task.waiting.reason !== 'Concurrency' ? `waits: ${spaced(task.waiting.reason)}` : task.workers ? 'on workers that stay' : 'items with a pod';
    return one('Running', [number(task.counts.running), task.concurrency ? [' ', h('small', {}, `of ${number(task.concurrency)}`)] : ''],
      hasEnded(task) ? 'the task has ended' : held);
  }

  drawLegend(task, c, items) {
    const button = (phase) => {
      const word = PHASES[phase], n = c[word.toLowerCase()];
      return h('button', { type: 'button', 'aria-pressed': String(this.chosen.has(phase)), 'data-key': `phase-${word}`, onclick: () => this.toggle(phase, task) },
        glyph(word), word, ' ', h('b', {}, number(n)), n > 0 && items > 0 ? h('span', { class: 'soft wide' }, ` ${percent(n, items)} %`) : null);
    };
    const line = task.required > 0 && task.required < items
      ? h('p', { class: 'wide' }, `The task fails if red, from the right, passes the line at ${percent(task.required, items)} %`)
      : task.required > 0 && task.required === items && items > 0 ? h('p', { class: 'wide' }, `The task fails with its first failed item: all ${counted(items, 'item', 'items')} must succeed`) : null;
    set(this.legend, ORDER.map(button), line);
  }

  toggle(phase, task) {
    if (this.chosen.has(phase)) this.chosen.delete(phase);
    else this.chosen.add(phase);
    this.update(this.task ?? task);
    this.on.filter(this.chosen);
  }
}
