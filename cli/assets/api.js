// Requests to the server, and the stream of news. The token is in a header, never in an address or a cookie.

import { byId, text } from './dom.js';
import { clock } from './words.js';

const KEY = 'maptask-token';
const FIRST_WAIT = 500, LONGEST_WAIT = 10_000, SILENCE = 40_000, HIDDEN = 60_000;

/** Moves the token from the address to the storage of the tab. */
export function takeToken() {
  const found = /^#t=([A-Za-z0-9_-]+)(.*)$/.exec(location.hash);
  if (found) {
    sessionStorage.setItem(KEY, found[1]);
    history.replaceState(null, '', `${location.pathname}#${found[2].replace(/^&/, '') || '/'}`);
  }
  return sessionStorage.getItem(KEY);
}

const headers = (more) => ({ Authorization: `Bearer ${sessionStorage.getItem(KEY) ?? ''}`, ...more });

/** What the server refused, with its hint. */
export class Refused extends Error {
  constructor(status, error, hint) {
    super(error);
    this.status = status;
    this.hint = hint;
  }
}

/** Whether to ask again is of no use. */
export const isFinal = (error) => [401, 403, 404].includes(error.status);

async function checked(answer) {
  if (answer.ok) return answer;
  let said = {};
  try { said = await answer.json(); } catch { /* Not ours: its status must do. */ }
  throw new Refused(answer.status, said.error ?? `the server answered ${answer.status}`, said.hint);
}

/** An answer as JSON. */
export async function get(path, signal) {
  return (await checked(await fetch(path, { headers: headers(), signal, cache: 'no-store' }))).json();
}

/** An answer as bytes, with its headers. */
export async function bytes(path, signal) {
  const answer = await checked(await fetch(path, { headers: headers(), signal, cache: 'no-store' }));
  return { headers: answer.headers, body: new Uint8Array(await answer.arrayBuffer()) };
}

/** Asks for a change. */
export async function post(path, body) {
  const answer = await fetch(path, {
    method: 'POST', headers: headers({ 'Content-Type': 'application/json' }), body: JSON.stringify(body),
  });
  return (await checked(answer)).json();
}

export const pathOf = (task) => `/api/tasks/${encodeURIComponent(task.namespace)}/${encodeURIComponent(task.name)}`;

/** Shows in the header how current the page is. */
export function show(state, words) {
  byId('live').dataset.state = state;
  text(byId('live-text'), words);
}

/** Splits a stream of bytes into events: `event:` and `data:` lines, and an empty line. */
export class Frames {
  constructor(each) {
    this.each = each;
    this.rest = '';
    this.decoder = new TextDecoder();
  }

  push(chunk) {
    this.rest += this.decoder.decode(chunk, { stream: true });
    let end;
    while ((end = this.rest.indexOf('\n\n')) >= 0) {
      const lines = this.rest.slice(0, end).split('\n');
      this.rest = this.rest.slice(end + 2);
      const field = (name) => lines.find((l) => l.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
      this.each(field('event'), field('data'));
    }
  }
}

/** One stream of news. It opens again by itself, and is closed while the tab is hidden for longer. */
export class Stream {
  constructor(path, on) {
    this.path = path;
    this.on = on;
    this.wait = FIRST_WAIT;
    this.seen = null;
    this.lost = false;
    this.visibility = () => this.look();
    document.addEventListener('visibilitychange', this.visibility);
    this.open();
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    clearTimeout(this.hiding);
    clearTimeout(this.guard);
    document.removeEventListener('visibilitychange', this.visibility);
    this.abort?.abort();
  }

  look() {
    clearTimeout(this.hiding);
    if (document.hidden) {
      this.hiding = setTimeout(() => { this.asleep = true; this.abort?.abort(); }, HIDDEN);
    } else if (this.asleep) {
      this.asleep = false;
      this.open();
    }
  }

  async open() {
    clearTimeout(this.timer);
    const abort = this.abort = new AbortController();
    try {
      const answer = await checked(await fetch(this.path, { headers: headers(), signal: abort.signal, cache: 'no-store' }));
      const frames = new Frames((event, data) => this.take(event, data));
      const reader = answer.body.getReader();
      for (;;) {
        this.watch(abort);
        const { done, value } = await reader.read();
        if (done) break;
        this.wait = FIRST_WAIT;
        frames.push(value);
      }
      this.again();
    } catch (error) {
      if (this.closed) return;
      const answered = error instanceof Refused;
      if (answered && this.on.refused?.(error)) show('dead', error.status === 404 ? 'Not found' : 'No access');
      else this.again(answered);
    }
  }

  /** A connection that says nothing for longer than two pings is dead. */
  watch(abort) {
    clearTimeout(this.guard);
    this.guard = setTimeout(() => abort.abort(), SILENCE);
  }

  take(event, data) {
    const value = data ? JSON.parse(data) : null;
    if (event === 'lost') {
      this.lost = true;
      show('lost', `Reconnecting (as of ${clock(this.seen ?? Date.now())})`);
      return;
    }
    if (event === 'live') this.lost = false;
    if (!this.lost) {
      this.seen = Date.now();
      show('live', 'Live');
    }
    this.on[event]?.(value);
  }

  /** `answered`: by a refusal, so that the server is there. */
  again(answered = false) {
    clearTimeout(this.guard);
    if (this.closed || this.asleep) return;
    const stopped = !answered && this.wait >= LONGEST_WAIT / 2;
    if (stopped) show('dead', 'kubectl maptask ui has stopped');
    else show('lost', this.seen ? `Reconnecting (as of ${clock(this.seen)})` : 'Connecting');
    this.timer = setTimeout(() => this.open(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
  }
}
