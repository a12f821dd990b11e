/**
 * The CDF 9/7 wavelet's way back, by lifting (`tutorial_lib/wavelet.py` says how it works), for pictures of any size.
 *
 * Samples lie where they belong from the beginning: low-pass at even places, high-pass between them. A step changes
 * those of one kind by a multiple of their two neighbours, in place; where the picture ends, the one neighbour counts
 * twice. First along rows, then along columns.
 */

export const STEPS = [0.4435068522, 0.8829110762, -0.05298011854, -1.586134342]; // undone from the last to the first
export const SCALE = 1.149604398;
const LARGEST = 2 ** 19; // of whole numbers
const PRECISION = 2 ** 20; // of their constants; products are below 2^53, so doubles hold them

/**
 * The picture's size, and the low-pass's of each level.
 * @param {number} height
 * @param {number} width
 * @param {number} levels
 * @returns {[number, number][]} levels + 1 pairs (height, width)
 */
export function sizes(height, width, levels) {
  /** @type {[number, number][]} */
  const pairs = [[height, width]];
  for (let n = 0; n < levels; n++) pairs.push([(pairs[n][0] + 1) >> 1, (pairs[n][1] + 1) >> 1]);
  return pairs;
}

/**
 * Rows and columns of lh, hl and hh, for what was split.
 * @param {number} height
 * @param {number} width
 * @returns {[number, number][]}
 */
export function bandSizes(height, width) {
  const low = [(height + 1) >> 1, (width + 1) >> 1];
  const high = [height >> 1, width >> 1];
  return [[high[0], low[1]], [low[0], high[1]], [high[0], high[1]]];
}

/**
 * Three colours' low-passes and details -> three pictures of height × width, all planes one behind another.
 *
 * details: lh, hl, hh of the first colour, then of the next; each of the low-pass's size, with zeros where a side of
 * the picture is odd. Whole numbers (Int32Array) give whole numbers, the same on every machine.
 * @template {Int32Array | Float32Array} T
 * @param {T} low
 * @param {T} details
 * @param {number} height
 * @param {number} width
 * @returns {T}
 */
export function join(low, details, height, width) {
  const [h, w] = [(height + 1) >> 1, (width + 1) >> 1];
  const Kind = /** @type {new (length: number) => T} */ (low.constructor);
  const joined = new Kind(3 * height * width);
  const lift = low instanceof Int32Array ? liftWhole : liftFloat;
  for (let colour = 0; colour < 3; colour++) {
    const plane = /** @type {T} */ (joined.subarray(colour * height * width, (colour + 1) * height * width));
    spread(low.subarray(colour * h * w), w, plane, 0, 0, height, width);
    for (let band = 0; band < 3; band++) {
      const [row, column] = [[1, 0], [0, 1], [1, 1]][band];
      spread(details.subarray((3 * colour + band) * h * w), w, plane, row, column, height, width);
    }
    // Rows are lifted a block at a time, sample by sample: so the same loops do for rows and columns.
    lift(plane, width, 1, height, width);
    lift(plane, height, width, width, 1);
  }
  return joined;
}

/**
 * @param {Int32Array | Float32Array} band with rows of w
 * @param {number} w
 * @param {Int32Array | Float32Array} plane
 * @param {number} row
 * @param {number} column
 * @param {number} height
 * @param {number} width
 */
function spread(band, w, plane, row, column, height, width) {
  for (let y = row, from = 0; y < height; y += 2, from += w) {
    for (let x = column, n = from, to = y * width; x < width; x += 2) plane[to + x] = band[n++];
  }
}

/**
 * Undo the lifting along one direction.
 * @param {Int32Array | Float32Array} x
 * @param {number} count samples in this direction
 * @param {number} step from a sample to the next
 * @param {number} lines
 * @param {number} across from a line to the next
 */
function liftFloat(x, count, step, lines, across) {
  if (count === 1) return;
  if (step === 1) {
    for (let line = 0; line < lines; line++) liftFloatLines(x, line * across, count, 1, 1, 1);
  } else liftFloatLines(x, 0, count, step, lines, across);
}

/** @param {Int32Array | Float32Array} x @param {number} begin @param {number} count @param {number} step
 *  @param {number} lines @param {number} across */
function liftFloatLines(x, begin, count, step, lines, across) {
  const span = lines * across;
  for (let n = 0; n < count; n++) {
    const factor = n % 2 ? SCALE : 1 / SCALE;
    for (let at = begin + n * step, end = at + span; at < end; at += across) x[at] *= factor;
  }
  for (let k = 0; k < STEPS.length; k++) {
    for (let n = k % 2; n < count; n += 2) {
      const before = (n > 0 ? -1 : 1) * step;
      const after = (n < count - 1 ? 1 : -1) * step;
      for (let at = begin + n * step, end = at + span; at < end; at += across) {
        x[at] -= STEPS[k] * (x[at + before] + x[at + after]);
      }
    }
  }
}

/**
 * The same in whole numbers: products are rounded to the nearest whole number, sums are cut off.
 * @param {Int32Array | Float32Array} x
 * @param {number} count
 * @param {number} step
 * @param {number} lines
 * @param {number} across
 */
function liftWhole(x, count, step, lines, across) {
  if (count === 1) return;
  if (step === 1) {
    for (let line = 0; line < lines; line++) liftWholeLines(x, line * across, count, 1, 1, 1);
  } else liftWholeLines(x, 0, count, step, lines, across);
}

/** @param {Int32Array | Float32Array} x @param {number} begin @param {number} count @param {number} step
 *  @param {number} lines @param {number} across */
function liftWholeLines(x, begin, count, step, lines, across) {
  const span = lines * across;
  for (let n = 0; n < count; n++) {
    const factor = Math.round((n % 2 ? SCALE : 1 / SCALE) * PRECISION);
    for (let at = begin + n * step, end = at + span; at < end; at += across) x[at] = times(x[at], factor);
  }
  for (let k = 0; k < STEPS.length; k++) {
    const factor = Math.round(STEPS[k] * PRECISION);
    for (let n = k % 2; n < count; n += 2) {
      const before = (n > 0 ? -1 : 1) * step;
      const after = (n < count - 1 ? 1 : -1) * step;
      for (let at = begin + n * step, end = at + span; at < end; at += across) {
        const lifted = x[at] - times(x[at + before] + x[at + after], factor);
        x[at] = lifted > LARGEST ? LARGEST : lifted < -LARGEST ? -LARGEST : lifted;
      }
    }
  }
}

/**
 * Whole numbers times a constant in units of 2^-20, to the nearest whole number.
 * @param {number} x
 * @param {number} factor
 */
function times(x, factor) {
  return Math.floor((x * factor + PRECISION / 2) / PRECISION);
}
