// What can be changed. Each button shows its command; a dialog says the effect in numbers before it runs.

import { Refused, pathOf, post } from './api.js';
import { byId, command, h, say, set, text } from './dom.js';
import { counted, line, number } from './words.js';

const ENDED = new Set(['Succeeded', 'Failed']);
export const hasEnded = (task) => ENDED.has(task.phase);

/** The changes that a task offers: label, command, effect, and why not, if it can't be. */
function offers(task) {
  const c = task.counts, ended = hasEnded(task), over = ended ? 'the task has ended' : null;
  const running = counted(c.running, 'running item', 'running items'), pending = counted(c.pending, 'pending item', 'pending items');
  const kept = counted(c.succeeded + c.cached, 'result', 'results');
  const none = c.failed + c.cancelled === 0 ? 'no item has failed or was cancelled' : null;
  return [
    task.suspend
      ? { key: 'suspend', verb: 'resume', label: 'Resume', title: `Resume ${task.name}?`, not: over, effect: `The ${pending} may start again.` }
      : { key: 'suspend', verb: 'suspend', label: 'Suspend', title: `Suspend ${task.name}?`, not: over,
        effect: `No further item starts. The ${running} end first; the ${pending} wait until you resume.` },
    { key: 'scale', verb: 'scale', label: ['Concurrency', h('span', { class: 'wide' }, ` ${task.concurrency ? number(task.concurrency) : 'unlimited'}`)],
      title: 'Change the concurrency', not: over, rest: (form) => `--concurrency ${form.concurrency || task.concurrency || 1}`,
      effect: task.concurrency ? `Now at most ${counted(task.concurrency, 'item runs', 'items run')} at once, and ${number(c.running)} do.`
        : `Now only the operator limits how many items run at once; ${number(c.running)} do.` },
    { key: 'rerun', verb: 'rerun', label: ['Rerun', h('span', { class: 'wide' }, '…')], title: `Run items of ${task.name} again`,
      not: ended ? none : 'when it has ended', rest: (form) => (form.items === 'Cancelled' ? '--cancelled' : '--failed'),
      effect: `Their results so far are replaced. The ${kept} of the other items stay.` },
    { key: 'cancel', verb: 'cancel', label: 'Cancel…', title: `Cancel ${task.name}?`, not: over, warn: true,
      effect: `The ${running} are stopped, the ${pending} never run. ${kept} stay.` },
    { key: 'delete', verb: 'delete', label: 'Delete…', title: `Delete ${task.name}?`, warn: true, right: 'delete', rest: () => '--yes',
      effect: `The task goes with its pods and ${kept}. This can't be undone.` },
  ];
}

/** The buttons of a task and the strip with the command. */
export class Actions {
  constructor(about) {
    this.readOnly = about.readOnly;
    this.row = h('div', { class: 'row', role: 'group', 'aria-label': 'Actions' });
    this.strip = command('', 'copy-command');
    this.element = h('div', { class: 'actions' }, this.readOnly ? null : this.row, this.strip.element);
    this.rights = null;
  }

  /** What the user may do; before it is known, nothing is refused. */
  allow(rights) {
    this.rights = rights;
    this.drawn = null;
    if (this.task) this.update(this.task);
  }

  /** Shows a command in the strip. */
  show(words) {
    text(this.strip.code, words);
    this.strip.code.title = words;
  }

  update(task) {
    const first = !this.task;
    this.task = task;
    if (first) this.rest();
    if (this.readOnly) return;
    const all = offers(task).map((offer) => this.may(offer));
    // Numbers change each second; buttons only when what they say does.
    const drawn = all.map((o) => `${o.verb}|${o.not ?? ''}`).join() + task.concurrency;
    this.offers = new Map(all.map((offer) => [offer.key, offer]));
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    set(this.row, all.map((offer) => this.button(offer)));
  }

  may(offer) {
    const right = offer.right ?? 'patch';
    if (!this.rights || this.rights[right]) return offer;
    return { ...offer, not: `you may not ${right} maptasks in ${this.task.namespace}` };
  }

  rest() {
    this.show(line(this.task, 'status', hasEnded(this.task) ? '' : '--watch'));
  }

  commandOf(offer, form = {}) {
    return line(this.task, offer.verb, offer.rest?.(form) ?? '');
  }

  button(offer) {
    const b = h('button', { class: `btn${offer.warn ? ' warn' : ''}`, type: 'button', 'data-key': `do-${offer.key}`, 'data-verb': offer.verb,
      'aria-disabled': offer.not ? 'true' : null, title: offer.not ?? null }, offer.label);
    if (offer.not) b.append(h('span', { class: 'unseen' }, ` (${offer.not})`));
    const show = () => this.show(this.commandOf(offer));
    b.addEventListener('pointerenter', show);
    b.addEventListener('focus', show);
    b.addEventListener('click', () => { if (!offer.not) this.ask(this.offers.get(offer.key)); });
    return b;
  }

  /** Asks, and runs it. */
  ask(offer) {
    const dialog = byId('dialog'), task = this.task, form = {}, shown = command('', null);
    const error = h('p', { class: 'error', role: 'alert' });
    const draw = () => text(shown.code, this.commandOf(offer, form));
    const plain = !offer.warn && offer.key !== 'scale' && offer.key !== 'rerun';
    const run = h('button', { class: `btn${offer.warn ? ' warn' : ''}`, type: 'submit', autofocus: plain }, 'Run');
    const back = h('button', { class: 'btn', type: 'button', autofocus: offer.warn }, 'Back');
    back.addEventListener('click', () => dialog.close());
    const body = h('form', { method: 'dialog' }, h('h2', { id: 'dialog-title' }, offer.title), h('p', { class: 'soft' }, offer.effect),
      this.fields(offer, form, draw), shown.element, error, h('div', { class: 'row' }, back, run));
    body.addEventListener('submit', async (event) => {
      event.preventDefault();
      run.disabled = true;
      try {
        const said = await post(`${pathOf(task)}/${offer.verb}`, { uid: task.uid, generation: task.generation, ...form });
        dialog.close();
        say(said.message);
        this.on?.done(offer, said.message);
      } catch (wrong) {
        text(error, wrong instanceof Refused && wrong.hint ? `${wrong.message} (${wrong.hint})` : wrong.message);
        run.disabled = false;
      }
    });
    // The button may be another one by then: Resume stands where Suspend was.
    dialog.addEventListener('close', () => this.row.querySelector(`[data-key=do-${offer.key}]`)?.focus(), { once: true });
    draw();
    set(dialog, body);
    dialog.showModal();
  }

  fields(offer, form, draw) {
    const task = this.task;
    if (offer.key === 'scale') {
      form.concurrency = task.concurrency ?? Math.max(1, task.counts.running);
      const input = h('input', { inputmode: 'numeric', type: 'number', min: 1, max: 100000, required: true, value: form.concurrency, autofocus: true });
      input.addEventListener('input', () => { form.concurrency = Number(input.value); draw(); });
      return h('label', { class: 'field' }, 'Items at once', input);
    }
    if (offer.key === 'rerun') {
      const choices = [['Failed', task.counts.failed], ['Cancelled', task.counts.cancelled]].filter(([, n]) => n > 0);
      form.items = choices[0]?.[0];
      const select = h('select', { autofocus: true }, choices.map(([word, n]) => h('option', { value: word }, `${word.toLowerCase()}: ${counted(n, 'item', 'items')}`)));
      select.addEventListener('change', () => { form.items = select.value; draw(); });
      return h('label', { class: 'field' }, 'Items that are', select);
    }
    return null;
  }
}
