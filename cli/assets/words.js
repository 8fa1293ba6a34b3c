// Numbers, times and words as the command line has them.

export const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Cached', 'Cancelled'];
export const LETTERS = ['P', 'R', 'S', 'F', 'C', 'X'];
export const PENDING = 0, RUNNING = 1, SUCCEEDED = 2, FAILED = 3, CACHED = 4, CANCELLED = 5;

const integers = new Intl.NumberFormat('en');
/** `20,000` */
export const number = (n) => integers.format(n);
/** `1 item`, `20,000 items` */
export const counted = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;

/** A share in percent with one digit; 100 only when it is all, 0 only when it is none. */
export function percent(part, all, digits = 1) {
  if (all <= 0) return '100';
  const step = 10 ** -digits;
  let share = 100 * part / all;
  if (part < all) share = Math.min(share, 100 - step);
  if (part > 0) share = Math.max(share, step);
  return share.toFixed(digits).replace(/\.0$/, '');
}

/** `45 s`, `16 min`, `3 h 5 min`, `2 d` */
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) {
    const minutes = Math.floor(s / 60) % 60;
    return `${Math.floor(s / 3600)} h${minutes ? ` ${minutes} min` : ''}`;
  }
  return `${Math.floor(s / 86400)} d`;
}

/** `45s`, `3m`, `16m`, `2h`, `3d`, for tables */
export function age(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s}s`;
  if (s < 7200) return `${Math.floor(s / 60)}m`;
  if (s < 172800) return `${Math.floor(s / 3600)}h`;
  return `${Math.floor(s / 86400)}d`;
}

/** `402`, `14.2`, `0.05` */
export function rate(r) {
  if (r >= 100) return number(Math.round(r));
  return r >= 1 ? r.toFixed(1) : r.toFixed(2);
}

/** A mean time that an item takes: `4.5 s`, `12 min`. */
export function each(seconds) {
  if (seconds < 0.1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : span(seconds);
}

/** `14:02`, with the day if it is not today's */
export function clock(time, now = new Date()) {
  const t = new Date(time);
  const hm = `${String(t.getHours()).padStart(2, '0')}:${String(t.getMinutes()).padStart(2, '0')}`;
  if (t.toDateString() === now.toDateString()) return hm;
  return `${t.toLocaleDateString('en', { month: 'short', day: 'numeric' })} ${hm}`;
}

/** Seconds since a time, or null. */
export const since = (time) => (time ? (Date.now() - new Date(time)) / 1000 : null);

/** A large number on an axis: `20k`, `1.5M` */
export function short(n) {
  if (n >= 1e6) return `${+(n / 1e6).toFixed(2)}M`;
  return n >= 10000 ? `${+(n / 1000).toFixed(1)}k` : number(n);
}

/** A word of the API in the middle of a sentence: `NoCapacity` is `no capacity`. */
export const spaced = (word) => word.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toLowerCase();

/** `kubectl maptask VERB NAME -n NAMESPACE REST` */
export function line(task, verb, rest = '') {
  return `kubectl maptask ${verb} ${task.name} -n ${task.namespace}${rest ? ` ${rest}` : ''}`;
}
