import assert from "node:assert/strict";
import { test } from "node:test";

import { BitstreamError } from "../decoder/errors.js";
import { Decoder, Tables } from "../decoder/rans.js";
import { bytes, unlessVectors, vectors } from "./from_python.mjs";

/** @param {{widths: number[][], offset: number[]}} rows */
function tablesOf({ widths, offset }) {
  return new Tables(widths.map((row) => row.length), offset, widths.flat());
}

/** @param {Uint8Array} data @param {number[]} indexes @param {Tables} tables @param {number} pieces */
function said(data, indexes, tables, pieces) {
  const symbols = new Int32Array(indexes.length);
  const bits = new Float32Array(indexes.length);
  try {
    const decoder = new Decoder(data, tables);
    for (let n = 0; n < pieces; n++) {
      const [begin, end] = [n, n + 1].map((each) => Math.floor((each * indexes.length) / pieces));
      decoder.pop(Uint8Array.from(indexes.slice(begin, end)), symbols.subarray(begin, end), bits.subarray(begin, end));
    }
    decoder.finish();
  } catch (error) {
    if (!(error instanceof BitstreamError)) throw error;
    return { error: error.message };
  }
  return { symbols: [...symbols] };
}

test("streams say what they say to Python, damaged ones, too, in one piece and in three", unlessVectors, () => {
  const tables = tablesOf(vectors.rans);
  for (const { data, indexes, ...expected } of vectors.rans.streams) {
    assert.deepEqual(said(bytes(data), indexes, tables, 1), expected, data);
    assert.deepEqual(said(bytes(data), indexes, tables, 3), expected, data);
  }
});

test("the price of a symbol is what its counts say", () => {
  const tables = new Tables([3], [-1], [2 ** 14, 2 ** 15, 2 ** 14]);
  assert.deepEqual([...tables.bits], [2, 1, 2]);
});

test("a table that does not end with 2^16 is refused", () => {
  assert.throws(() => new Tables([2], [0], [1, 2]), RangeError);
});
