// How it went: items ended per second, and the sum with a forecast. From the samples in the status.

import { h, s } from './dom.js';
import { clock, counted, number, rate as rateWords, short } from './words.js';

const LEFT = 34, RIGHT = 6;

/** Round steps of an axis, at most four. */
function steps(most) {
  const raw = most / 3, power = 10 ** Math.floor(Math.log10(raw || 1));
  const step = [1, 2, 5, 10].map((f) => f * power).find((f) => f >= raw) ?? power * 10;
  const out = [];
  for (let v = 0; v <= most * 1.001; v += step) out.push(v);
  return out;
}

/** The rate between two samples each: `[seconds, rate, failed]`, merged to spans that say something. */
export function rates(samples) {
  const out = [], span = samples.length > 1 ? samples.at(-1)[0] - samples[0][0] : 0;
  const least = Math.max(1, span / 64);
  let [t0, e0, f0] = samples[0] ?? [0, 0, 0];
  for (const [t, e, f] of samples.slice(1)) {
    if (t - t0 < least) continue;
    out.push([(t + t0) / 2, (e - e0) / (t - t0), f - f0, t0, t]);
    [t0, e0, f0] = [t, e, f];
  }
  return out;
}

function axis(x, ys, y, words, width) {
  return ys.map((v) => [s('path', { d: `M${LEFT} ${y(v).toFixed(1)}H${width - RIGHT}`, stroke: 'var(--line)' }),
    s('text', { x: LEFT - 6, y: y(v) + 4, 'text-anchor': 'end' }, words(v))]);
}

/** Both plots of a task, or one sentence where nothing is known yet. */
export function plots(task, width) {
  const samples = task.progress?.samples ?? [];
  if (samples.length < 2 || !task.progress.start) {
    return h('div', { class: 'plot' }, h('div', { class: 'line' }, h('h2', {}, 'Rate')),
      h('p', { class: 'soft small' }, 'No samples yet: they come with the first items that end.'));
  }
  const start = new Date(task.progress.start).getTime() / 1000;
  const last = samples.at(-1), now = task.completed ? last[0] : Math.max(last[0], Date.now() / 1000 - start);
  const end = task.left === null || task.completed ? now : now + task.left;
  // The forecast has at most as much room as what was.
  const span = Math.max(1, Math.min(end, now * 2)) * 1.02;
  const x = (t) => LEFT + (width - LEFT - RIGHT) * Math.min(1, t / span);
  return [rate(task, samples, now, x, width), sums(task, samples, now, end, span, x, width, start)];
}

function rate(task, samples, now, x, width) {
  const high = 70, base = high - 4, all = rates(samples), top = Math.max(1e-9, ...all.map((one) => one[1])) * 1.1;
  const y = (v) => base - (base - 8) * v / top;
  const points = all.map(([t, v]) => `${x(t).toFixed(1)} ${y(v).toFixed(1)}`);
  const parts = [axis(x, steps(top).filter((v) => v <= top), y, (v) => (v >= 10 ? short(v) : +v.toPrecision(2)), width)];
  if (points.length) {
    const from = x(all[0][0]).toFixed(1), to = x(all.at(-1)[0]).toFixed(1);
    parts.push(s('path', { d: `M${points.join('L')}L${to} ${base}L${from} ${base}Z`, fill: 'var(--fill)' }),
      s('path', { d: `M${points.join('L')}`, fill: 'none', stroke: 'var(--succeeded)', 'stroke-width': 1.8, 'stroke-linejoin': 'round' }));
  }
  const worst = Math.max(1, ...all.map((one) => one[2]));
  for (const [t, , failed] of all) {
    if (failed > 0) parts.push(s('path', { d: `M${x(t).toFixed(1)} ${base}v${-Math.max(4, 22 * failed / worst).toFixed(1)}`, stroke: 'var(--failed)', 'stroke-width': 2.5 }));
  }
  if (!task.completed) parts.push(s('path', { d: `M${x(now)} 2V${base}`, stroke: 'var(--ink)', 'stroke-width': 1.2 }), label(x(now), base - 5, 'now', width));
  const mean = (samples.at(-1)[1] - samples[0][1]) / Math.max(1, samples.at(-1)[0] - samples[0][0]);
  const peak = Math.max(0, ...all.map((one) => one[1]));
  const words = `Items ended per second: ${rateWords(mean)} in the mean, at most ${rateWords(peak)}`;
  return h('div', { class: 'plot' }, h('div', { class: 'line' }, h('h2', {}, 'Rate'), h('span', {}, 'items ended per second')),
    s('svg', { class: 'plotted', height: high, viewBox: `0 0 ${width} ${high}`, role: 'img', 'aria-label': words }, parts));
}

function label(at, y, words, width) {
  const fits = at + 34 < width;
  return s('text', { class: 'strong', x: fits ? at + 5 : at - 5, y, 'text-anchor': fits ? 'start' : 'end' }, words);
}

function sums(task, samples, now, end, span, x, width, start) {
  const high = 92, base = high - 18, all = Math.max(1, task.items ?? samples.at(-1)[1]);
  const y = (v) => base - (base - 8) * v / all;
  const ended = Math.max(samples.at(-1)[1], task.ended);
  const known = task.completed ? samples : [...samples, [now, ended]];
  const path = known.map(([t, e], i) => `${i ? 'L' : 'M'}${x(t).toFixed(1)} ${y(e).toFixed(1)}`).join('');
  const at = x(now), parts = [axis(x, steps(all), y, short, width)];
  const first = x(samples[0][0]).toFixed(1);
  parts.push(s('path', { d: `${path}L${x(known.at(-1)[0]).toFixed(1)} ${base}L${first} ${base}Z`, fill: 'var(--fill)' }),
    s('path', { d: path, fill: 'none', stroke: 'var(--succeeded)', 'stroke-width': 1.8, 'stroke-linejoin': 'round' }));
  if (!task.completed && end > now) {
    const seen = Math.min(end, span), goal = ended + (all - ended) * (seen - now) / (end - now);
    parts.push(s('path', { d: `M${at} ${y(ended)}L${x(seen)} ${y(goal)}`, stroke: 'var(--succeeded)', 'stroke-width': 1.8, 'stroke-dasharray': '4 3' }));
    if (seen === end) parts.push(s('circle', { cx: x(end), cy: y(all), r: 3.4, fill: 'var(--card)', stroke: 'var(--succeeded)', 'stroke-width': 1.8 }));
  }
  parts.push(s('circle', { cx: at, cy: y(ended), r: 3.4, fill: 'var(--ink)' }));
  for (const share of [0, 0.5, 1]) {
    const t = share * span / 1.02;
    parts.push(s('text', { x: x(t), y: high - 3, 'text-anchor': share === 0 ? 'start' : share === 1 ? 'end' : 'middle' }, clock((start + t) * 1000)));
  }
  const done = task.completed ? `ended ${clock(task.completed)}` : task.left === null ? '' : `ends around ${clock(Date.now() + task.left * 1000)}`;
  const words = `${counted(ended, 'item', 'items')} of ${number(all)} ended${done ? `; ${done}` : ''}`;
  return h('div', { class: 'plot' }, h('div', { class: 'line' }, h('h2', {}, task.completed ? 'Done' : 'Done and forecast'), h('span', {}, done)),
    s('svg', { class: 'plotted', height: high, viewBox: `0 0 ${width} ${high}`, role: 'img', 'aria-label': words }, parts));
}
