// The map: every item as a square, in the order of the list. One canvas for the squares, one for the cursor.

import { h, text } from './dom.js';
import { Glyphs, palette } from './glyphs.js';
import { keep, labelStep, zooms } from './layout.js';
import { count, next, overview } from './planes.js';
import { FAILED, PHASES, counted, number } from './words.js';

/** Most frames a second for news; what the user does is drawn at once. */
const NEWS = 250;
const STRIP = 14, TOP = 6;

/** A map with its controls. `on.open(index)` opens an item, `on.scale(words)` says what a square is. */
export class ItemMap {
  constructor(on) {
    this.on = on;
    this.phases = new Uint8Array(0);
    this.shown = new Uint8Array(8).fill(1);
    this.zoom = 0;
    this.row = 0;
    this.at = 0;
    this.hover = -1;
    this.known = new Float64Array(0);
    this.tiles = new Map();
    this.times = [];
    this.build();
    this.dark = matchMedia('(prefers-color-scheme: dark)');
    this.recolour = () => this.relayout();
    this.dark.addEventListener('change', this.recolour);
    // On paper the colours are those for light.
    this.paper = matchMedia('print');
    this.paper.addEventListener('change', this.recolour);
    this.sized = new ResizeObserver(() => this.relayout());
    this.sized.observe(this.grid);
  }

  build() {
    this.squares = h('canvas', { 'aria-hidden': 'true' });
    this.over = h('canvas', { class: 'over', 'aria-hidden': 'true' });
    this.whole = h('canvas', { class: 'whole', 'aria-hidden': 'true', title: 'the whole list; drag to move' });
    this.cell = h('span', { role: 'gridcell', id: 'cell' });
    this.rowElement = h('div', { role: 'row', class: 'unseen' }, this.cell);
    this.grid = h('div', { class: 'grid', id: 'map', role: 'grid', tabindex: '0', 'data-key': 'map', 'aria-activedescendant': 'cell' },
      this.squares, this.over, this.rowElement);
    this.tip = h('div', { class: 'tip', hidden: true });
    this.element = h('div', { class: 'map' }, this.whole, h('div', { class: 'under' }, this.grid), this.tip);
    const g = this.grid;
    g.addEventListener('keydown', (event) => this.key(event));
    g.addEventListener('pointermove', (event) => this.point(this.tileAt(event)));
    g.addEventListener('pointerleave', () => this.point(-1));
    g.addEventListener('click', (event) => this.click(event));
    g.addEventListener('focus', () => this.mark());
    g.addEventListener('blur', () => this.mark());
    g.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    const drag = (event) => { if (event.buttons || event.type === 'pointerdown') this.drag(event); };
    this.whole.addEventListener('pointerdown', drag);
    this.whole.addEventListener('pointermove', drag);
  }

  close() {
    this.sized.disconnect();
    this.dark.removeEventListener('change', this.recolour);
    this.paper.removeEventListener('change', this.recolour);
    clearTimeout(this.later);
  }

  /** Shows these phases; what has changed is drawn at most four times a second. */
  update(phases) {
    const resized = phases.length !== this.phases.length;
    this.phases = phases;
    if (resized) {
      this.at = Math.min(this.at, Math.max(0, phases.length - 1));
      this.relayout();
      return;
    }
    const due = NEWS - (performance.now() - (this.drawn ?? -NEWS));
    if (due <= 0) this.draw();
    else if (!this.later) this.later = setTimeout(() => { this.later = 0; this.draw(); }, due);
  }

  /** Shows only items in these phases; all if there are none. */
  filter(phases) {
    for (let p = 0; p < 6; p++) this.shown[p] = phases.size === 0 || phases.has(p) ? 1 : 0;
    this.fresh();
    this.draw();
  }

  fresh() {
    this.known.fill(-1);
    this.tiles.clear();
  }

  /** Computes all again: another width, other colours, another zoom. */
  relayout() {
    const width = this.grid.clientWidth, n = this.phases.length;
    if (!width || !n) return;
    this.views = zooms(n, width);
    this.zoom = Math.min(this.zoom, this.views.length - 1);
    const v = this.view = this.views[this.zoom];
    this.row = Math.max(0, Math.min(this.row, v.rows - v.seen));
    const ratio = this.ratio = devicePixelRatio || 1;
    this.p = Math.max(3, Math.floor(v.pitch * ratio));
    this.colours = palette();
    this.glyphs = new Glyphs(this.colours, this.p, ratio);
    this.left = Math.round(v.gutter * ratio);
    this.top = Math.round(TOP * ratio);
    const height = this.top + v.seen * this.p + Math.round(5 * ratio);
    for (const canvas of [this.squares, this.over]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = height;
      canvas.style.height = `${height / ratio}px`;
    }
    this.context = this.squares.getContext('2d');
    this.image = this.context.createImageData(v.cols * this.p, v.seen * this.p);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.pixels.fill(this.colours.card);
    this.known = new Float64Array(v.cols * v.seen);
    this.rug = new Uint32Array(v.seen);
    this.fresh();
    this.whole.width = Math.round(this.whole.clientWidth * ratio);
    this.whole.height = Math.round(STRIP * ratio);
    this.grid.setAttribute('aria-rowcount', v.rows);
    this.grid.setAttribute('aria-colcount', v.cols);
    this.grid.setAttribute('aria-label',
      `Map of ${counted(n, 'item', 'items')}. Arrow keys move, n goes to the next failed item, Enter opens it, t is the table.`);
    this.on.scale?.(v.k === 1 ? 'one square is one item' : `one square is ${number(v.k)} items`, this.zoom, this.views.length);
    this.draw();
  }

  /** Draws the squares that look different from before. */
  draw() {
    const v = this.view;
    if (!v) return;
    const begin = performance.now();
    const { p, known, phases, glyphs } = this, width = v.cols * p, counts = new Uint32Array(8);
    let first = v.seen, last = -1;
    for (let row = 0; row < v.seen; row++) {
      let failed = 0;
      for (let col = 0; col < v.cols; col++) {
        const place = row * v.cols + col, tile = (this.row + row) * v.cols + col;
        let key = -2, stamp = glyphs.hidden;
        if (tile < v.tiles && v.k === 1) {
          key = phases[tile];
          if (key === FAILED) failed++;
          if (!this.shown[key]) key = 8;
          if (known[place] === key) continue;
          if (key < 8) stamp = glyphs.single[key];
        } else if (tile < v.tiles) {
          const from = tile * v.k, to = Math.min(v.n, from + v.k);
          count(phases, from, to, counts);
          failed += counts[FAILED];
          key = glyphs.heights(counts, to - from, this.shown);
          if (known[place] === key) continue;
          stamp = this.tiles.get(key);
          if (!stamp) this.tiles.set(key, stamp = glyphs.tile(key));
        }
        if (known[place] === key) continue;
        known[place] = key;
        let from = 0, to = row * p * width + col * p;
        for (let y = 0; y < p; y++, to += width - p) for (let x = 0; x < p; x++) this.pixels[to++] = stamp[from++];
        if (row < first) first = row;
        last = row;
      }
      this.rug[row] = failed;
    }
    if (last >= first) {
      this.context.putImageData(this.image, this.left, this.top, 0, first * p, width, (last - first + 1) * p);
    }
    this.drawn = performance.now();
    this.edges();
    this.strip();
    this.mark();
    this.times.push(performance.now() - begin);
    if (this.times.length > 100) this.times.shift();
  }

  /** Numbers of the rows at the left, rows with failures at the right. */
  edges() {
    const v = this.view, c = this.context, r = this.ratio, { p, top } = this;
    const style = getComputedStyle(this.grid), right = this.left + v.cols * p;
    c.clearRect(0, 0, this.left - r, this.squares.height);
    c.clearRect(right + r, 0, this.squares.width, this.squares.height);
    c.fillStyle = style.getPropertyValue('--failed');
    for (let row = 0; row < v.seen; row++) {
      if (!this.rug[row]) continue;
      const long = Math.min((v.rug - 6) * r, (2 + Math.log2(1 + this.rug[row])) * r);
      c.fillRect(right + 4 * r, top + row * p, long, Math.max(2 * r, p - r));
    }
    if (!v.gutter) return;
    c.fillStyle = style.getPropertyValue('--soft');
    c.font = `${11 * r}px ${style.getPropertyValue('--sans')}`;
    c.textAlign = 'right';
    c.textBaseline = 'middle';
    const step = labelStep(v);
    for (let row = 0; row < v.seen; row++) {
      if ((this.row + row) % step) continue;
      c.fillText(number((this.row + row) * v.cols * v.k), this.left - 8 * r, Math.max(6 * r, top + row * p + p / 2));
    }
  }

  /** The whole list in one line, with a frame around what is seen. */
  strip() {
    const v = this.view, canvas = this.whole, zoomed = v.seen < v.rows;
    canvas.hidden = !zoomed;
    if (!zoomed) return;
    if (!canvas.width) canvas.width = Math.round(canvas.clientWidth * this.ratio);
    const c = canvas.getContext('2d'), style = getComputedStyle(this.grid), r = this.ratio;
    const parts = Math.max(1, Math.floor(canvas.width / (2 * r))), w = canvas.width / parts;
    c.clearRect(0, 0, canvas.width, canvas.height);
    c.fillStyle = style.getPropertyValue('--line');
    c.fillRect(0, 4 * r, canvas.width, 6 * r);
    const colours = [null, style.getPropertyValue('--succeeded'), style.getPropertyValue('--failed')];
    // Of the whole list, so only once for each version of it.
    if (this.seenPhases !== this.phases || this.states?.length !== parts) this.states = overview(this.phases, parts);
    this.seenPhases = this.phases;
    this.states.forEach((state, i) => {
      if (!state) return;
      // Failures are higher, not only of another colour.
      const high = state === 2 ? 10 : 6;
      c.fillStyle = colours[state];
      c.fillRect(i * w, (STRIP - high) / 2 * r, Math.ceil(w), high * r);
    });
    const from = this.row / v.rows * canvas.width, long = Math.max(6 * r, v.seen / v.rows * canvas.width);
    c.strokeStyle = style.getPropertyValue('--ink');
    c.lineWidth = 2 * r;
    c.strokeRect(Math.min(from, canvas.width - long) + r, r, long - 2 * r, canvas.height - 2 * r);
  }

  /** The cursor and what is under the pointer, on the second canvas; their words in the tip. */
  mark() {
    const v = this.view;
    if (!v) return;
    const c = this.over.getContext('2d'), r = this.ratio, style = getComputedStyle(this.grid);
    c.clearRect(0, 0, this.over.width, this.over.height);
    const focused = document.activeElement === this.grid, at = Math.floor(this.at / v.k);
    const ring = (tile, wide) => {
      const row = Math.floor(tile / v.cols) - this.row;
      if (tile < 0 || row < 0 || row >= v.seen) return false;
      const x = this.left + tile % v.cols * this.p, y = this.top + row * this.p, side = this.glyphs.side;
      c.lineWidth = 2 * r;
      c.strokeStyle = style.getPropertyValue('--card');
      c.strokeRect(x - 2 * r, y - 2 * r, side + 4 * r, side + 4 * r);
      c.strokeStyle = style.getPropertyValue('--ink');
      c.strokeRect(x - wide * r, y - wide * r, side + 2 * wide * r, side + 2 * wide * r);
      return true;
    };
    if (focused || this.touched) ring(at, 4);
    if (this.hover >= 0) ring(this.hover, 3);
    const told = this.hover >= 0 ? this.hover : focused ? at : -1;
    this.say(at);
    this.place(told);
  }

  /** What a square is, in words. */
  words(tile, exact) {
    const v = this.view;
    if (v.k === 1 || exact !== undefined) {
      const index = exact ?? tile, more = this.on.known?.(index);
      return [`Item ${number(index)}`, `${PHASES[this.phases[index]].toLowerCase()}${more ? `, ${more}` : ''}`];
    }
    const from = tile * v.k, to = Math.min(v.n, from + v.k), counts = count(this.phases, from, to, new Uint32Array(8));
    const parts = [FAILED, 2, 4, 1, 0, 5].filter((p) => counts[p]).map((p) => `${number(counts[p])} ${PHASES[p].toLowerCase()}`);
    return [`Items ${number(from)} to ${number(to - 1)}`, parts.join(', ')];
  }

  say(at) {
    const v = this.view, [what, state] = this.words(at, this.at);
    text(this.cell, `${what}, ${state}`);
    this.rowElement.setAttribute('aria-rowindex', Math.floor(at / v.cols) + 1);
    this.cell.setAttribute('aria-colindex', at % v.cols + 1);
  }

  place(tile) {
    const v = this.view, row = Math.floor(tile / v.cols) - this.row;
    this.tip.hidden = tile < 0 || tile >= v.tiles || row < 0 || row >= v.seen;
    if (this.tip.hidden) return;
    const isCursor = this.hover < 0 && tile === Math.floor(this.at / v.k);
    const [what, state] = this.words(tile, isCursor ? this.at : undefined);
    this.tip.replaceChildren(h('b', {}, what), ` ${state}`);
    const x = (this.left + (tile % v.cols + 0.5) * this.p) / this.ratio + this.grid.offsetLeft;
    const y = (this.top + row * this.p) / this.ratio + this.grid.offsetTop;
    const wide = this.tip.offsetWidth, high = this.tip.offsetHeight, most = this.element.clientWidth - wide - 4;
    const above = y - high - 9;
    const below = y + this.p / this.ratio + 9;
    this.tip.style.left = `${Math.max(4, Math.min(most, x - wide / 2))}px`;
    this.tip.style.top = `${above < -40 ? below : above}px`;
  }

  tileAt(event) {
    const v = this.view;
    if (!v) return -1;
    const box = this.squares.getBoundingClientRect(), r = this.ratio;
    const col = Math.floor(((event.clientX - box.left) * r - this.left) / this.p);
    const row = Math.floor(((event.clientY - box.top) * r - this.top) / this.p);
    const tile = (this.row + row) * v.cols + col;
    return col < 0 || col >= v.cols || row < 0 || row >= v.seen || tile >= v.tiles ? -1 : tile;
  }

  point(tile) {
    if (tile === this.hover) return;
    this.hover = tile;
    this.mark();
  }

  /** A square of several items comes closer, an item opens. */
  click(event) {
    const tile = this.tileAt(event), v = this.view;
    if (tile < 0) return;
    this.touched = true;
    if (v.k === 1) {
      this.go(tile);
      this.on.open(tile);
      return;
    }
    const from = tile * v.k, bad = next(this.phases.subarray(from, Math.min(v.n, from + v.k)), FAILED, -1, 1);
    this.at = from + Math.max(0, bad);
    this.zoomTo(this.zoom + 1, tile);
  }

  wheel(event) {
    if (event.ctrlKey) {
      event.preventDefault();
      this.zoomTo(this.zoom + (event.deltaY < 0 ? 1 : -1), this.tileAt(event));
    } else if (event.shiftKey && this.view.seen < this.view.rows) {
      event.preventDefault();
      this.scroll(this.row + Math.sign(event.deltaY || event.deltaX) * 3);
    }
  }

  drag(event) {
    const box = this.whole.getBoundingClientRect(), v = this.view;
    this.whole.setPointerCapture?.(event.pointerId);
    this.scroll(Math.round((event.clientX - box.left) / box.width * v.rows - v.seen / 2));
  }

  scroll(row) {
    const v = this.view, to = Math.max(0, Math.min(v.rows - v.seen, row));
    if (to === this.row) return;
    this.row = to;
    this.draw();
  }

  /** Another zoom, around a square or the cursor. */
  zoomTo(zoom, tile = -1) {
    const to = Math.max(0, Math.min(this.views.length - 1, zoom)), v = this.view;
    if (to === this.zoom) return;
    const item = tile >= 0 && Math.floor(this.at / v.k) !== tile ? tile * v.k : this.at;
    const above = (Math.floor(item / v.k / v.cols) - this.row) * v.pitch;
    const wanted = this.views[to];
    this.zoom = to;
    this.hover = -1;
    this.row = keep(wanted, Math.floor(item / wanted.k), above / wanted.pitch);
    this.relayout();
  }

  /** Moves the cursor, and the view if it must. */
  go(index) {
    const v = this.view;
    this.at = Math.max(0, Math.min(v.n - 1, index));
    this.touched = true;
    const row = Math.floor(this.at / v.k / v.cols);
    if (row < this.row || row >= this.row + v.seen) this.scroll(row - (v.seen >> 1));
    this.mark();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.view) return;
    const v = this.view, line = v.cols * v.k, page = line * Math.max(1, v.seen - 1);
    const moves = { ArrowLeft: -v.k, ArrowRight: v.k, ArrowUp: -line, ArrowDown: line, PageUp: -page, PageDown: page };
    this.hover = -1;
    if (event.key in moves) {
      const to = this.at + moves[event.key];
      if (to >= 0 && to < v.n) this.go(to);
      else if (event.key.startsWith('Page')) this.go(to);
    } else if (event.key === 'Home') this.go(0);
    else if (event.key === 'End') this.go(v.n - 1);
    else if (event.key === 'n' || event.key === 'N') {
      const found = next(this.phases, FAILED, this.at, event.key === 'n' ? 1 : -1);
      if (found >= 0) this.go(found);
      else this.on.say?.('No item has failed');
    } else if (event.key === '+' || event.key === '=') this.zoomTo(this.zoom + 1);
    else if (event.key === '-') this.zoomTo(this.zoom - 1);
    else if (event.key === '0') this.zoomTo(0);
    else if (event.key === 'Enter') this.on.open(this.at);
    else if (event.key === 't') this.on.table?.();
    else return;
    event.preventDefault();
  }
}
