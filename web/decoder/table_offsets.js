/**
 * What a file corrects about its tables: each part's string begins with a byte that says by how many tables those of
 * its grey and of its colours are shifted (`tutorial_lib/table_offsets.py`).
 */

import { BitstreamError } from "./errors.js";

export const [LOWEST_OFFSET, HIGHEST_OFFSET] = [-8, 7];
export const TABLES = 101; // for coefficients

/** @typedef {{grey: number, colours: number}} Offsets */

/**
 * A part's offsets, and what follows them.
 * @param {Uint8Array} string
 * @returns {{offsets: Offsets, rest: Uint8Array}}
 */
export function takeOffsets(string) {
  if (!string.length) throw new BitstreamError("the file is damaged: the string of a part is empty.");
  const offsets = { grey: (string[0] >> 4) + LOWEST_OFFSET, colours: (string[0] & 15) + LOWEST_OFFSET };
  return { offsets, rest: string.subarray(1) };
}

/**
 * Both offsets of a part, as its string begins.
 * @param {Offsets} offsets
 */
export function toByte({ grey, colours }) {
  return 16 * (grey - LOWEST_OFFSET) + colours - LOWEST_OFFSET;
}

/**
 * Numbers of tables, by an offset higher, as far as there are tables.
 * @param {Uint8Array} tables
 * @param {number} offset
 */
export function shifted(tables, offset) {
  return tables.map((table) => Math.min(Math.max(table + offset, 0), TABLES - 1));
}
