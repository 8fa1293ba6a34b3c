// Where each square of the map is: how many items it stands for, how large it is, how many are in a row.

const LEVELS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
/** Pixels that the map of a whole list is high at most. */
const HEIGHT = 340;
const SINGLE = [24, 16, 12, 8, 6, 5, 4], TILE = [9, 8, 7, 6];
/** Sizes to zoom to, once a square is one item. From 14 pixels on, a square has a letter. */
const CLOSER = [6, 10, 16, 24];

/** A round number of columns, so that the first item of each row has a round number. */
function columns(most) {
  const unit = most >= 250 ? 50 : most >= 100 ? 20 : most >= 20 ? 10 : most >= 10 ? 5 : 1;
  return Math.max(1, Math.floor(most / unit) * unit);
}

/** The gutter with numbers, the rug, and the room between them. */
function frame(width) {
  const compact = width < 640;
  const gutter = compact ? 0 : 54, rug = compact ? 10 : 16;
  return { compact, gutter, rug, inner: Math.max(24, width - gutter - rug) };
}

function shape(n, width, k, pitch) {
  const room = frame(width);
  const tiles = Math.ceil(n / k);
  const most = Math.floor(room.inner / pitch);
  // Without numbers at the rows, columns need not be round.
  const cols = room.compact ? Math.max(1, most) : columns(most);
  const rows = Math.ceil(tiles / cols);
  return { n, k, pitch, cols, rows, tiles, ...room };
}

/** The first level at which the whole list fits, with the largest squares. */
function fit(n, width) {
  const compact = frame(width).compact;
  for (const k of LEVELS) {
    for (const pitch of k === 1 ? SINGLE : TILE) {
      if (k > 1 && compact && pitch < 7) continue;
      const found = shape(n, width, k, pitch);
      if (found.rows * pitch > HEIGHT) continue;
      // Wider squares fill the row, if they still fit.
      const wider = Math.min(Math.floor(found.inner / found.cols), pitch + (pitch < 12 ? 2 : 0));
      if (found.rows * wider <= HEIGHT) found.pitch = Math.max(pitch, wider);
      return found;
    }
  }
  return shape(n, width, LEVELS.at(-1), 6);
}

/** All states of zoom, the whole list first. Each says how many of its rows are seen at a time. */
export function zooms(n, width) {
  const whole = fit(Math.max(1, n), width);
  const all = [whole];
  for (const k of LEVELS.filter((level) => level > 1 && level < whole.k).reverse()) all.push(shape(n, width, k, 8));
  for (const pitch of CLOSER) {
    if (whole.k > 1 || pitch > whole.pitch) all.push(shape(n, width, 1, pitch));
  }
  for (const one of all) one.seen = one === whole ? one.rows : Math.min(one.rows, Math.floor(HEIGHT / one.pitch));
  return all;
}

/** The first row that is seen, so that the tile stays about as far from the top as it was; within the list. */
export function keep(view, tile, rowsAbove) {
  const row = Math.floor(tile / view.cols) - Math.round(rowsAbove);
  return Math.max(0, Math.min(view.rows - view.seen, row));
}

/** Rows between two numbers in the gutter. */
export function labelStep(view) {
  const least = Math.ceil(26 / view.pitch);
  return [1, 2, 5, 10, 20, 50].find((step) => step >= least) ?? 50;
}
