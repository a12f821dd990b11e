import assert from "node:assert/strict";
import { test } from "node:test";

import { Tables } from "../decoder/rans.js";
import { join } from "../decoder/wavelet.js";
import { split } from "../encoder/analysis.js";
import { chosen } from "../encoder/choosing.js";
import { pack } from "../encoder/container.js";
import { Counts } from "../encoder/counts.js";
import { encode } from "../encoder/encoder.js";
import { Encoder } from "../encoder/rans.js";
import { loadDecoder } from "../node_decoder.js";
import { bytes, model, unlessModel, unlessVectors, vectors } from "./from_python.mjs";

/**
 * Numbers from 0 to 255 that come again: a linear congruential generator (Numerical Recipes' constants).
 * @param {number} seed
 * @returns {() => number}
 */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
}

test("streams are Python's, byte for byte, and so is where a decoder stands in them", unlessVectors, () => {
  const { widths, offset, streams } = vectors.encoding.rans;
  const tables = new Tables(widths.map((/** @type {number[]} */ row) => row.length), offset, widths.flat());
  for (const { symbols, indexes, counts, data, positions } of streams) {
    const encoder = new Encoder(tables);
    const behind = [];
    const bounds = [0, ...counts, symbols.length];
    for (let n = bounds.length - 2; n >= 0; n--) {
      encoder.push(symbols.slice(bounds[n], bounds[n + 1]), indexes.slice(bounds[n], bounds[n + 1]));
      behind.unshift(encoder.size);
    }
    const stream = encoder.finish();
    assert.equal(Buffer.from(stream).toString("hex"), data);
    assert.deepEqual(behind.slice(1).map((size) => stream.length - size), positions);
  }
});

test("containers are Python's, byte for byte", unlessVectors, () => {
  for (const { facts, strings, file } of vectors.encoding.container) {
    assert.equal(Buffer.from(pack(facts, strings.map(bytes))).toString("hex"), file);
  }
});

test("the wavelet's floats are Python's, bit for bit", unlessVectors, () => {
  for (const { height, width, x, low, details } of vectors.encoding.splitting) {
    const both = split(Float32Array.from(x), height, width);
    assert.deepEqual(both, { low: Float32Array.from(low), details: Float32Array.from(details) });
  }
});

test("what is split and joined again is what it was, but for rounding", () => {
  const random = generator(3);
  for (const [height, width] of [[1, 1], [1, 6], [7, 1], [2, 3], [16, 16], [33, 20]]) {
    const x = Float32Array.from({ length: 3 * height * width }, () => random() - 128);
    const { low, details } = split(x.slice(), height, width);
    join(low, details, height, width).forEach((value, n) => assert.ok(Math.abs(value - x[n]) < 1e-3));
  }
});

test("choices between two whole numbers are Python's", unlessVectors, () => {
  const { r, tables, k } = vectors.encoding.choices;
  assert.deepEqual(r.map((/** @type {number} */ each, /** @type {number} */ n) => chosen(each, tables[n]) + 0), k);
});

test("the cheapest offset is Python's", unlessVectors, () => {
  for (const { symbols, tables, best } of vectors.encoding.counts) {
    const counts = new Counts();
    counts.add(Int16Array.from(symbols), Uint8Array.from(tables));
    assert.equal(counts.best(), best);
  }
});

test("the decoder finds the latents that the encoder says it will", unlessModel, async () => {
  const decoder = await loadDecoder(String(model));
  const random = generator(4);
  for (const [width, height, quality] of [[1, 1, 1], [13, 7, 40], [40, 65, 100], [64, 48, 1]]) {
    const rgba = Uint8ClampedArray.from({ length: 4 * width * height }, () => random());
    /** @type {number[][]} */
    const told = [];
    /** @type {Int32Array[]} */
    const parts = [];
    const onPart = (/** @type {number} */ n, /** @type {number} */ of, /** @type {Int32Array} */ y) => {
      told.push([n, of]);
      parts.push(y);
    };
    const { file } = await encode(decoder, { width, height, rgba }, quality, onPart);
    assert.deepEqual(told, [1, 2, 3, 4, 5, 6].map((n) => [n, 6]));
    const decoded = await decoder.decode(file);
    assert.deepEqual([decoded.width, decoded.height, decoded.quality], [width, height, quality]);
    assert.deepEqual(decoded.parts, parts);
  }
});

test("what cannot be encoded is refused in a sentence, before any work", async () => {
  const decoder = /** @type {any} */ ({ model: { description: { codec: "codec", fingerprint: "", levels: 5 } } });
  const refused = (/** @type {number} */ width, /** @type {number} */ height, /** @type {number} */ quality) => {
    const size = /^a picture of .* pixels (does not fit in a \.lic file|is too large)/;
    const message = quality === 50 ? size : /^a quality is/;
    const picture = { width, height, rgba: new Uint8ClampedArray(4) };
    return assert.rejects(encode(decoder, picture, quality), { name: "RangeError", message });
  };
  for (const quality of [0, 101, 1.5, NaN, -1]) await refused(1, 1, quality);
  for (const [width, height] of [[0, 1], [1, 0], [65536, 1], [1, 65536], [4097, 4096], [65535, 65535]]) {
    await refused(width, height, 50);
  }
});
