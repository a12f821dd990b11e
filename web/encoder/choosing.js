/**
 * Which whole numbers are coded: the nearest, or their neighbours towards 0 where the bits saved are worth more than
 * the error (`choose` and `savings` of `tutorial_lib/laplace.py`).
 */

import { roundHalfEven } from "../decoder/contexts.js";
import { STEP } from "../decoder/quality.js";
import { LOWEST, PER_OCTAVE, UNIT } from "../decoder/symbols.js";
import { TABLES } from "../decoder/table_offsets.js";

/**
 * What has been chosen in a pass. symbols: 16 bits hold all that pictures lead to.
 * @typedef {{part: number, colours: boolean, symbols: Int16Array, tables: Uint8Array}} Chosen
 */

const { fround } = Math; // as in analysis.js
const WEIGHT = fround(2 * (STEP ** 2 / 3)); // what a squared error of one step costs, in bits
const LOG2_E = fround(1 / Math.LN2);

/** Of each table: bits saved by 0 instead of ±1, and by a step towards 0 from farther away. */
const SAVED = [new Float32Array(TABLES), new Float32Array(TABLES)];
for (let table = 0; table < TABLES; table++) {
  const t = fround(0.5 * 2 ** -(LOWEST + table / PER_OCTAVE)); // half of 1 / b
  const first = 1 + fround(fround(t - fround(Math.log1p(fround(Math.exp(-t))))) * LOG2_E);
  SAVED[0][table] = Math.min(first, 16); // ±1 has 16 bits at most; then come an escape's digits
  SAVED[1][table] = Math.min(2 * t * LOG2_E, 8);
}

/**
 * A callback that chooses for coefficients.
 * @param {Float32Array[]} parts of them
 * @param {(chosen: Chosen) => void} note is told of each pass
 * @returns {import("../decoder/symbols.js").SymbolCallback}
 */
export function chooser(parts, note) {
  return ({ part, colours, places, means, tables }, symbols) => {
    const y = parts[part];
    for (let n = 0; n < symbols.length; n++) {
      symbols[n] = chosen(fround(y[places[n]] - means[n] / UNIT), tables[n]);
    }
    note({ part, colours, symbols: new Int16Array(symbols), tables });
  };
}

/**
 * The whole number that is coded for a coefficient.
 * @param {number} r the coefficient without its mean, in steps
 * @param {number} table
 */
export function chosen(r, table) {
  const k = roundHalfEven(r);
  if (k === 0) return 0;
  const magnitude = Math.abs(k);
  const error = fround(WEIGHT * fround(2 * (Math.abs(r) - magnitude) + 1)); // what the squared error grows by
  if (error >= SAVED[magnitude > 1 ? 1 : 0][table]) return k;
  return k - Math.sign(k);
}
