/**
 * From what the networks predict to coefficients: a table for each, whole numbers that somebody reads from a stream or
 * chooses for it, and their sums with the means.
 *
 * Means and log-scales are whole numbers in units of 1/256, and so are coefficients.
 */

import { roundHalfEven } from "./contexts.js";
import { shifted, TABLES } from "./table_offsets.js";

export const [LOWEST, PER_OCTAVE] = [-4.5, 8]; // log-scales of the tables (`tutorial_lib/laplace.py`)
export const UNIT = 256;
const LIMIT = 2047 * UNIT; // of coefficients

/**
 * Some coefficients of a part, at rows ≡ row and columns ≡ column (mod 2), and what is known about them.
 * @typedef {{part: number, y: Int32Array, height: number, width: number, first: number, bands: [number, number][],
 *            row: number, column: number, bits: Float32Array}} Place
 * y: all planes of the part, of height × width; first: the first plane that is meant; bands: how many rows and columns
 * of each plane are coefficients; bits: of each position of the part, where they are known.
 *
 * What is coded of a pass. part, colours: whose; places: in the part's planes; means: of each coefficient;
 * tables: their numbers, before offsets.
 * @typedef {{part: number, colours: boolean, places: Int32Array, means: Int32Array, tables: Uint8Array}} Pass
 *
 * Fills in the symbols of a pass, and what each of them costs, if it knows that. The one that decodes reads them.
 * @typedef {(pass: Pass, symbols: Int32Array, prices: Float32Array) => void} SymbolCallback
 */

/**
 * Let the callback say what they are.
 * @param {SymbolCallback} code
 * @param {Place} place
 * @param {(plane: number, at: number) => number} meanOf plane: counted from the first; at: of a quarter's positions
 * @param {Float32Array} logScales of as many planes, quarters
 * @param {number[]} base log-scales to add, one for each plane
 */
export function codeQuarter(code, place, meanOf, logScales, base) {
  const { part, y, height, width, first, bands, row, column, bits } = place;
  const [h, w] = [(height - row + 1) >> 1, (width - column + 1) >> 1];
  const counted = bands.map(([rows, columns]) => [(rows - row + 1) >> 1, (columns - column + 1) >> 1]);
  const count = counted.reduce((sum, [rows, columns]) => sum + rows * columns, 0);
  const [places, means, tables] = [new Int32Array(count), new Int32Array(count), new Uint8Array(count)];
  let n = 0;
  counted.forEach(([rows, columns], plane) => {
    for (let i = 0; i < rows; i++) {
      const begin = ((first + plane) * height + row + 2 * i) * width + column;
      for (let j = 0, at = i * w; j < columns; j++, at++, n++) {
        places[n] = begin + 2 * j;
        means[n] = meanOf(plane, at);
        tables[n] = tableOf(logScales[plane * h * w + at] + base[plane]);
      }
    }
  });
  const symbols = new Int32Array(count);
  const prices = new Float32Array(count);
  code({ part, colours: first > 0, places, means, tables }, symbols, prices);
  for (n = 0; n < count; n++) {
    y[places[n]] = Math.min(Math.max(symbols[n] * UNIT + means[n], -LIMIT), LIMIT);
    bits[places[n] % bits.length] += prices[n];
  }
}

/**
 * A callback that reads.
 * @param {import("./rans.js").Decoder} decoder
 * @param {import("./table_offsets.js").Offsets[]} offsets of each part
 * @returns {SymbolCallback}
 */
export function reader(decoder, offsets) {
  return ({ part, colours, tables }, symbols, prices) => {
    decoder.pop(shifted(tables, colours ? offsets[part].colours : offsets[part].grey), symbols, prices);
  };
}

/**
 * The number of the table whose log-scale is nearest.
 * @param {number} logScale
 */
function tableOf(logScale) {
  const nearest = roundHalfEven((logScale / UNIT - LOWEST) * PER_OCTAVE);
  return Math.min(Math.max(nearest, 0), TABLES - 1);
}
