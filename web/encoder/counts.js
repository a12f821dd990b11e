/**
 * The offset of tables with which a part's symbols cost least (`Counts` of `tutorial_lib/table_offsets.py`).
 *
 * A trial takes no pass over the symbols: with a Laplace density every further step away from 0 costs the same, so a
 * table's bits depend on three sums, how many symbols are 0, how many are not, and how many steps beyond ±1 they are.
 */

import { LOWEST, PER_OCTAVE } from "../decoder/symbols.js";
import { HIGHEST_OFFSET, LOWEST_OFFSET, TABLES } from "../decoder/table_offsets.js";

const MOST = 26; // bits: about what an escape costs

/** Bits of a 0, of a 1, and of each step farther away from 0, with each table. */
const COSTS = Array.from({ length: TABLES }, (_, table) => {
  const t = 0.5 * 2 ** -(LOWEST + table / PER_OCTAVE);
  const zero = Math.min(-Math.log2(-Math.expm1(-t)), MOST);
  const [one, two] = [1, 2].map((k) => {
    return Math.min(1 - Math.log2(-Math.expm1(-2 * t)) + ((2 * k - 1) * t) / Math.LN2, MOST);
  });
  return [zero, one, two - one];
});

/** Of symbols that share an offset, what their tables' costs depend on. */
export class Counts {
  constructor() {
    this.sums = Array.from({ length: TABLES }, () => [0, 0, 0]);
  }

  /**
   * @param {Int16Array} symbols
   * @param {Uint8Array} tables as many
   */
  add(symbols, tables) {
    for (let n = 0; n < symbols.length; n++) {
      const sums = this.sums[tables[n]];
      const magnitude = Math.abs(symbols[n]);
      sums[magnitude ? 1 : 0]++;
      if (magnitude > 1) sums[2] += magnitude - 1;
    }
  }

  /** The offset with the fewest bits; of equal ones the smallest in magnitude. */
  best() {
    const tried = [];
    for (let offset = LOWEST_OFFSET; offset <= HIGHEST_OFFSET; offset++) {
      tried.push({ offset, bits: this.bits(offset) });
    }
    tried.sort((a, b) => a.bits - b.bits || Math.abs(a.offset) - Math.abs(b.offset));
    return tried[0].offset;
  }

  /** @param {number} offset */
  bits(offset) {
    return this.sums.reduce((total, sums, table) => {
      const costs = COSTS[Math.min(Math.max(table + offset, 0), TABLES - 1)];
      return total + sums[0] * costs[0] + sums[1] * costs[1] + sums[2] * costs[2];
    }, 0);
  }
}
