// What a square looks like, as pixels. Each phase has a colour, and a shape that is distinct at three pixels.

import { CACHED, CANCELLED, FAILED, LETTERS, PENDING, RUNNING, SUCCEEDED } from './words.js';

const NAMES = ['pending', 'running', 'succeeded', 'failed', 'cached', 'cancelled'];
/** The order in which a glass is filled from below: failures can't be overlooked. */
const FILLING = [FAILED, SUCCEEDED, CACHED, CANCELLED, RUNNING];

/** A colour of the style sheet, `#RRGGBB`, as a pixel. */
function pixel(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const value = parseInt(hex.slice(1, 7), 16);
  return ((0xff << 24) | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/** Colours as pixels, resolved once and not for each square. */
export function palette() {
  return { phase: NAMES.map(pixel), card: pixel('card'), faint: pixel('line') };
}

/** Pixels of squares with a side of `p` device pixels, of which some are the gap to the next. */
export class Glyphs {
  constructor(colours, p, ratio) {
    this.colours = colours;
    this.p = p;
    this.gap = Math.max(1, Math.round(p / 12));
    this.side = p - this.gap;
    // A pixel of the style sheet: what a pattern is made of.
    this.unit = Math.max(1, Math.round(ratio));
    this.letters = p / ratio >= 14;
    this.single = NAMES.map((_, phase) => this.make(phase));
    this.hidden = this.blank();
  }

  blank() {
    return new Uint32Array(this.p * this.p).fill(this.colours.card);
  }

  box(out, x, y, w, h, colour) {
    for (let j = y; j < y + h; j++) out.fill(colour, j * this.p + x, j * this.p + x + w);
  }

  make(phase) {
    const { p, side } = this, out = this.blank(), colour = this.colours.phase[phase];
    if (this.letters) return this.lettered(phase);
    if (phase === SUCCEEDED) this.box(out, 0, 0, side, side, colour);
    if (phase === FAILED) this.box(out, 0, 0, p, p, colour);
    if (phase === CACHED) for (let q = 0; q < side; q++) this.box(out, 0, q, q + 1, 1, colour);
    if (phase === RUNNING) {
      const edge = Math.max(1, Math.round(side / 6));
      this.box(out, 0, 0, side, side, colour);
      this.box(out, edge, edge, side - 2 * edge, side - 2 * edge, this.colours.card);
    }
    if (phase === PENDING) {
      const dot = Math.max(1, Math.round(side / 4)), at = (side - dot) >> 1;
      this.box(out, at, at, dot, dot, colour);
    }
    if (phase === CANCELLED) {
      const thick = Math.max(1, Math.round(side / 4));
      this.box(out, 0, (side - thick) >> 1, side, thick, colour);
    }
    return out;
  }

  /** A large square: the shape behind a letter. */
  lettered(phase) {
    const { p, side } = this, canvas = document.createElement('canvas');
    canvas.width = canvas.height = p;
    const c = canvas.getContext('2d', { willReadFrequently: true });
    const css = (value) => `rgb(${value & 255} ${value >> 8 & 255} ${value >> 16 & 255})`;
    const colour = css(this.colours.phase[phase]), card = css(this.colours.card);
    c.fillStyle = card;
    c.fillRect(0, 0, p, p);
    c.fillStyle = c.strokeStyle = colour;
    const full = phase === SUCCEEDED || phase === FAILED || phase === CANCELLED;
    if (full) c.fillRect(0, 0, side, side);
    else {
      c.lineWidth = Math.max(1, Math.round(p / 12)) * (phase === PENDING ? 0.6 : 1);
      if (phase === PENDING) c.setLineDash([2, 2]);
      c.strokeRect(c.lineWidth / 2, c.lineWidth / 2, side - c.lineWidth, side - c.lineWidth);
      if (phase === CACHED) {
        c.beginPath();
        c.moveTo(0, side / 2);
        c.lineTo(side / 2, side);
        c.lineTo(0, side);
        c.fill();
      }
    }
    c.fillStyle = full ? card : colour;
    c.font = `${phase === FAILED ? 700 : 600} ${Math.round(p * 0.56)}px system-ui, sans-serif`;
    c.textAlign = 'center';
    c.textBaseline = 'middle';
    c.fillText(LETTERS[phase], side / 2, side / 2 + p * 0.04);
    return new Uint32Array(c.getImageData(0, 0, p, p).data.buffer);
  }

  /** How high each phase stands in the glass of a tile, in one number; equal numbers look equal. */
  heights(counts, total, shown) {
    const { side } = this;
    let left = side, key = 0, shift = 1;
    for (const phase of FILLING) {
      let d = 0;
      if (counts[phase] > 0 && shown[phase]) {
        const least = phase === FAILED ? 2 : phase === RUNNING ? 1 : 0;
        d = Math.min(left, Math.max(least, Math.round(counts[phase] / total * side)));
      }
      left -= d;
      key += d * shift;
      shift *= 64;
    }
    return key;
  }

  /** The pixels of a tile by its heights. */
  tile(key) {
    const out = this.blank(), { side, colours } = this;
    this.box(out, 0, 0, side, side, colours.faint);
    if (key === 0) {
      const dot = Math.max(1, Math.round(side / 4)), at = (side - dot) >> 1;
      this.box(out, at, at, dot, dot, colours.phase[PENDING]);
    }
    let y = side, rest = key;
    for (const phase of FILLING) {
      const d = rest % 64;
      rest = Math.floor(rest / 64);
      y -= d;
      this.fill(out, y, d, phase);
    }
    return out;
  }

  /**
   * A part of a glass in the pattern of its phase, so that colour is not the only sign: failed is wider than the glass,
   * succeeded is full, cached has diagonal stripes, cancelled lies in lines, running stands in columns.
   */
  fill(out, y, high, phase) {
    const { side, p, unit, colours } = this, colour = colours.phase[phase];
    if (phase === FAILED) this.box(out, 0, y, p, high, colour);
    if (phase === SUCCEEDED) this.box(out, 0, y, side, high, colour);
    if (phase === CANCELLED) for (let j = high - unit; j > -unit; j -= 2 * unit) this.box(out, 0, y + Math.max(0, j), side, Math.min(unit, high), colour);
    if (phase === RUNNING) for (let x = 0; x < side; x += 2 * unit) this.box(out, x, y, Math.min(unit, side - x), high, colour);
    if (phase !== CACHED) return;
    for (let j = y; j < y + high; j++) {
      for (let x = 0; x < side; x++) if (Math.floor((x + side - j) / unit) % 3) this.box(out, x, j, 1, 1, colour);
    }
  }
}
