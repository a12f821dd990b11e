/**
 * From what the networks predict to coefficients: a table for each, the symbols that the stream holds, and their sums.
 *
 * Means and log-scales are whole numbers in units of 1/256, and so are coefficients.
 */

import { roundHalfEven } from "./contexts.js";

const [LOWEST, PER_OCTAVE, TABLES] = [-4.5, 8, 101]; // log-scales of the tables (`tutorial_lib/laplace.py`)
const UNIT = 256;
const LIMIT = 2047 * UNIT; // of coefficients

/**
 * Some coefficients of a part, at rows ≡ row and columns ≡ column (mod 2), and what is known about them.
 * @typedef {{y: Int32Array, height: number, width: number, first: number, bands: [number, number][],
 *            row: number, column: number, offset: number, bits: Float32Array}} Place
 * y: all planes of the part, of height × width; first: the first plane that is meant; bands: how many rows and columns
 * of each plane are coefficients; offset: of their tables; bits: of each position of the part.
 */

/**
 * Decode them.
 * @param {import("./rans.js").Decoder} decoder
 * @param {Place} place
 * @param {(plane: number, at: number) => number} meanOf plane: counted from the first; at: of a quarter's positions
 * @param {Float32Array} logScales of as many planes, quarters
 * @param {number[]} base log-scales to add, one for each plane
 */
export function decodeQuarter(decoder, place, meanOf, logScales, base) {
  const { y, height, width, first, bands, row, column, offset, bits } = place;
  const [h, w] = [(height - row + 1) >> 1, (width - column + 1) >> 1];
  const counted = bands.map(([rows, columns]) => [(rows - row + 1) >> 1, (columns - column + 1) >> 1]);
  const count = counted.reduce((sum, [rows, columns]) => sum + rows * columns, 0);
  const indexes = new Uint8Array(count);
  let n = 0;
  counted.forEach(([rows, columns], plane) => {
    for (let i = 0; i < rows; i++) {
      const begin = (plane * h + i) * w;
      for (let j = 0; j < columns; j++) indexes[n++] = tableOf(logScales[begin + j] + base[plane], offset);
    }
  });
  const symbols = new Int32Array(count);
  const prices = new Float32Array(count);
  decoder.pop(indexes, symbols, prices);
  n = 0;
  counted.forEach(([rows, columns], plane) => {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++, n++) {
        const at = (row + 2 * i) * width + column + 2 * j;
        const value = symbols[n] * UNIT + meanOf(plane, i * w + j);
        y[(first + plane) * height * width + at] = Math.min(Math.max(value, -LIMIT), LIMIT);
        bits[at] += prices[n];
      }
    }
  });
}

/**
 * The number of the table whose log-scale is nearest; then shifted, as far as there are tables.
 * @param {number} logScale
 * @param {number} offset
 */
function tableOf(logScale, offset) {
  const nearest = roundHalfEven((logScale / UNIT - LOWEST) * PER_OCTAVE);
  return Math.min(Math.max(Math.min(Math.max(nearest, 0), TABLES - 1) + offset, 0), TABLES - 1);
}
