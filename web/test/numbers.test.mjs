import assert from "node:assert/strict";
import { test } from "node:test";

import { roundHalfEven } from "../decoder/contexts.js";
import { hintOf, interpolated, stepOf } from "../decoder/quality.js";
import { join } from "../decoder/wavelet.js";
import { unlessVectors, vectors } from "./from_python.mjs";

test("halves are rounded to the even side, as PyTorch does it", unlessVectors, () => {
  const [numbers, rounded] = vectors.rounding;
  numbers.forEach((/** @type {number} */ x, /** @type {number} */ n) => assert.ok(roundHalfEven(x) === rounded[n]));
});

test("lifting in whole numbers gives Python's numbers, cut off where those are", unlessVectors, () => {
  for (const { height, width, low, details, joined } of vectors.lifting) {
    assert.deepEqual([...join(Int32Array.from(low), Int32Array.from(details), height, width)], joined);
  }
});

test("lifting with floats is the same up to rounding", unlessVectors, () => {
  for (const { height, width, low, details, joined } of vectors.lifting.filter(
    (/** @type {{low: number[]}} */ each) => Math.max(...each.low.map(Math.abs)) <= 300,
  )) {
    const floats = join(Float32Array.from(low), Float32Array.from(details), height, width);
    floats.forEach((value, n) => assert.ok(Math.abs(value - joined[n]) < 8, `${height} × ${width}: ${n}`));
  }
});

test("at each of the hundred qualities hint and tables are Python's whole numbers", unlessVectors, () => {
  const { hints, rows, table, steps } = vectors.qualities;
  for (let quality = 1; quality <= 100; quality++) {
    assert.equal(Math.round(hintOf(quality) * 64), hints[quality - 1]);
    assert.deepEqual(interpolated(rows, quality).map(roundHalfEven), table[quality - 1]);
    assert.ok(Math.abs(stepOf(quality) / steps[quality - 1] - 1) < 1e-5);
  }
});
