/**
 * What a file corrects about its tables: each part's string begins with a byte that says by how many tables those of
 * its grey and of its colours are shifted (`tutorial_lib/table_offsets.py`).
 */

import { BitstreamError } from "./errors.js";

const LOWEST = -8;

/** @typedef {{grey: number, colours: number}} Offsets */

/**
 * A part's offsets, and what follows them.
 * @param {Uint8Array} string
 * @returns {{offsets: Offsets, rest: Uint8Array}}
 */
export function takeOffsets(string) {
  if (!string.length) throw new BitstreamError("the file is damaged: the string of a part is empty.");
  const offsets = { grey: (string[0] >> 4) + LOWEST, colours: (string[0] & 15) + LOWEST };
  return { offsets, rest: string.subarray(1) };
}
