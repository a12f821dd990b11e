/**
 * From a picture to coefficients: colours turned, divided by the quantizer's step, then the CDF 9/7 wavelet, level by
 * level (`WaveletAnalysis` of `tutorial_lib/codec.py`). Nothing in it is learned.
 *
 * A decoder never sees these numbers, so machines may differ in them. But Python computes with 32 bits, operation by
 * operation, and so does this: `Math.fround` rounds a double to what 32 bits hold, and a sum, product, quotient or root
 * of two such numbers then comes out as if it had been computed with 32 bits. So files are the same, nearly always.
 */

import { LAMBDA_HIGHEST, LAMBDA_LOWEST, STEP } from "../decoder/quality.js";
import { COLOURS } from "../decoder/synthesis.js";
import { SCALE, STEPS } from "../decoder/wavelet.js";

/** @typedef {{width: number, height: number, rgba: Uint8ClampedArray}} Picture */

const { fround } = Math;
const LIFTING = [...STEPS].reverse().map(fround); // predict, update, predict, update
const LOW = fround(SCALE);
/** Grey levels around 0, of samples of 8 bits. */
const LEVELS = Float32Array.from({ length: 256 }, (_, n) => fround(fround(n / 255) - 0.5) * 255);

/**
 * The picture's coefficients, in steps, part by part: the low-pass (3 planes), then the details of each level (9 planes
 * each: lh, hl, hh of the first colour, then of the next), each of the low-pass's size of its level.
 * @param {Picture} picture
 * @param {number} quality
 * @param {number} levels
 * @returns {Float32Array[]}
 */
export function analyse({ width, height, rgba }, quality, levels) {
  let [low, h, w] = [turned(rgba, stepOf(quality)), height, width];
  const parts = [];
  for (let level = 0; level < levels; level++) {
    const both = split(low, h, w);
    parts.unshift(both.details);
    [low, h, w] = [both.low, (h + 1) >> 1, (w + 1) >> 1];
  }
  return [low, ...parts];
}

/**
 * Three pictures of height × width -> their low-passes, and nine planes of details: `join` of the decoder's wavelet.js
 * undoes it. The pictures are used up.
 * @param {Float32Array} pictures
 * @param {number} height
 * @param {number} width
 */
export function split(pictures, height, width) {
  const [h, w] = [(height + 1) >> 1, (width + 1) >> 1];
  const [low, details] = [new Float32Array(3 * h * w), new Float32Array(9 * h * w)];
  for (let colour = 0; colour < 3; colour++) {
    const plane = pictures.subarray(colour * height * width, (colour + 1) * height * width);
    lift(plane, 0, height, width, width, 1);
    for (let row = 0; row < height; row++) lift(plane, row * width, width, 1, 1, 1);
    gather(plane, height, width, 0, 0, low.subarray(colour * h * w), w);
    for (const [band, [row, column]] of [[1, 0], [0, 1], [1, 1]].entries()) {
      gather(plane, height, width, row, column, details.subarray((3 * colour + band) * h * w), w);
    }
  }
  return { low, details };
}

/**
 * Grey and two colour differences, in steps.
 * @param {Uint8ClampedArray} rgba
 * @param {number} step
 */
function turned(rgba, step) {
  const plane = rgba.length / 4;
  const planes = new Float32Array(3 * plane);
  for (let k = 0; k < 3; k++) {
    const [red, green, blue] = COLOURS[k].map(fround);
    for (let n = 0, from = 0, to = k * plane; n < plane; n++, from += 4, to++) {
      const two = fround(fround(red * LEVELS[rgba[from]]) + fround(green * LEVELS[rgba[from + 1]]));
      planes[to] = fround(two + fround(blue * LEVELS[rgba[from + 2]])) / step;
    }
  }
  return planes;
}

/**
 * The quantizer's step in grey levels, with 32 bits.
 * @param {number} quality
 */
function stepOf(quality) {
  const power = fround((LAMBDA_HIGHEST / LAMBDA_LOWEST) ** fround((quality - 1) / 99));
  return fround(STEP * fround(1 / fround(Math.sqrt(fround(fround(LAMBDA_LOWEST) * power)))));
}

/**
 * Lift along one direction, in place: low-pass at even places, high-pass between them. Of several lines, all get the
 * same step before any gets the next.
 * @param {Float32Array} x
 * @param {number} begin
 * @param {number} count samples in this direction
 * @param {number} step from a sample to the next
 * @param {number} lines
 * @param {number} across from a line to the next
 */
function lift(x, begin, count, step, lines, across) {
  if (count === 1) return;
  const span = lines * across;
  for (let k = 0; k < LIFTING.length; k++) {
    const factor = LIFTING[k];
    for (let n = 1 - (k % 2); n < count; n += 2) {
      const before = (n > 0 ? -1 : 1) * step; // mirrored at the ends
      const after = (n < count - 1 ? 1 : -1) * step;
      for (let at = begin + n * step, end = at + span; at < end; at += across) {
        x[at] = fround(x[at] + fround(factor * fround(x[at + before] + x[at + after])));
      }
    }
  }
  for (let n = 0; n < count; n++) {
    for (let at = begin + n * step, end = at + span; at < end; at += across) {
      x[at] = n % 2 ? x[at] / LOW : x[at] * LOW;
    }
  }
}

/**
 * Every second row and column of a plane.
 * @param {Float32Array} plane
 * @param {number} height
 * @param {number} width
 * @param {number} row the first
 * @param {number} column the first
 * @param {Float32Array} band
 * @param {number} w of the band's rows
 */
function gather(plane, height, width, row, column, band, w) {
  for (let y = row, to = 0; y < height; y += 2, to += w) {
    for (let x = column, n = to, from = y * width; x < width; x += 2) band[n++] = plane[from + x];
  }
}
