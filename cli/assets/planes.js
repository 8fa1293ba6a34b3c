// The phases of all items: one byte an item, made of three bit planes.

import { FAILED } from './words.js';

/** One byte an item, of three planes of ceil(n / 8) bytes. */
export function unpack(body, n) {
  const length = (n + 7) >> 3;
  if (body.length !== 3 * length) throw new Error(`planes have ${body.length} bytes instead of ${3 * length}`);
  const out = new Uint8Array(length * 8);
  for (let j = 0; j < length; j++) {
    const a = body[j], b = body[length + j], c = body[2 * length + j];
    if ((a | b | c) === 0) continue;
    for (let k = 0, i = j * 8; k < 8; k++, i++) out[i] = (a >> k & 1) | (b >> k & 1) << 1 | (c >> k & 1) << 2;
  }
  return out.subarray(0, n);
}

/** How many of the items from `from` up to, but not including, `to` are in each phase; written into `out`. */
export function count(phases, from, to, out) {
  out.fill(0);
  for (let i = from; i < to; i++) out[phases[i]]++;
  return out;
}

/** The next item in that phase after `from`, or before it; around the end of the list. -1 if there is none. */
export function next(phases, phase, from, step) {
  const n = phases.length;
  for (let d = 1, i = from; d <= n; d++) {
    i = (i + step + n) % n;
    if (phases[i] === phase) return i;
  }
  return -1;
}

/** For each of `parts` equal parts of the list: the highest of 0 (nothing), 1 (ended items), 2 (failed ones). */
export function overview(phases, parts) {
  const out = new Uint8Array(parts), n = phases.length;
  for (let p = 0; p < parts; p++) {
    const to = Math.max(Math.floor((p + 1) * n / parts), Math.floor(p * n / parts) + 1);
    for (let i = Math.floor(p * n / parts); i < to && i < n; i++) {
      if (phases[i] === FAILED) { out[p] = 2; break; }
      if (phases[i] > 1) out[p] = 1;
    }
  }
  return out;
}
