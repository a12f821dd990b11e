/**
 * The order of passes: from coarse to fine, what is coded when, and what the networks see by then.
 *
 * `tutorial_lib/subband_prior.py` and `subband_networks.py` once more. Whatever decides about tables and means is
 * computed with whole numbers, so that the decoder's tables are those that the encoder chose. What codes is not known
 * here: a callback reads each pass's symbols from a stream, or chooses them (`encoder/`).
 */

import {
  cut,
  meanOfKnown,
  putFeatures,
  putLogarithms,
  quarter,
  repeatEdges,
  room,
  roundHalfEven,
  surroundings,
} from "./contexts.js";
import { hintOf, interpolated } from "./quality.js";
import { codeQuarter } from "./symbols.js";
import { bandSizes, join, sizes } from "./wavelet.js";

/** @typedef {import("./model.js").Planes} Planes */

const UNIT = 64; // of activations
const QUARTERS = [[0, 0], [1, 1], [0, 1], [1, 0]]; // in the order of the low-pass's passes
const HALVES = [QUARTERS.slice(0, 2), QUARTERS.slice(2)]; // a checkerboard

/**
 * What is known behind a part. y: coefficients, in units of 1/256 of a step; f: features, in units of 1/64;
 * bits: of each position.
 * @typedef {{y: Int32Array, f: Planes, height: number, width: number, bits: Float32Array}} Part
 */

export class Scan {
  /**
   * @param {import("./model.js").Model} model
   * @param {import("./symbols.js").SymbolCallback} symbols
   * @param {{height: number, width: number, quality: number}} picture
   */
  constructor(model, symbols, { height, width, quality }) {
    this.model = model;
    this.symbols = symbols;
    this.quality = quality;
    this.levels = model.description.levels;
    this.sides = sizes(height, width, this.levels);
    this.hint = { channels: 1, height: 1, width: 1, data: Float32Array.of(Math.round(hintOf(quality) * UNIT)) };
    this.entropySeconds = 0; // of the callback, and what leads to it
  }

  /**
   * The parts, from the coarsest to the finest.
   * @param {number} count how many
   * @returns {AsyncGenerator<Part>}
   */
  async *parts(count) {
    /** @type {Part} */
    let part = await this.lowPass();
    yield part;
    let low = part.y;
    for (let n = 1; n < count; n++) {
      part = await this.level(n, part.f, low);
      yield part;
      const [height, width] = this.sides[this.levels - n];
      if (n < count - 1) low = join(low, part.y, height, width);
    }
  }

  /** The low-pass of the coarsest level, in four passes. */
  async lowPass() {
    const [height, width] = this.sides[this.levels];
    const plane = height * width;
    const base = this.baseOf(0);
    const [y, mask, bits] = [new Int32Array(3 * plane), new Uint8Array(plane), new Float32Array(plane)];
    for (const [n, [row, column]] of QUARTERS.entries()) {
      const near = meanOfKnown(y, mask, height, width, 1);
      const wide = meanOfKnown(y, mask, height, width, 2);
      const rest = y.map((value, at) => (mask[at % plane] ? value - wide[at] : 0));
      const x = room(7, height, width, 2);
      putLogarithms(x, 0, rest, 3, 2);
      mask.forEach((known, at) => {
        x.data[(6 * x.height + Math.floor(at / width) + 2) * x.width + (at % width) + 2] = known * UNIT;
      });
      repeatEdges(x, 2);
      const out = await this.model.run("low_pass", { x, hint: this.hint }, `low_pass.${n}`);
      const predicted = quarter(out, row, column); // means and log-scales
      const size = predicted.height * predicted.width;
      if (!size) continue;
      const means = (/** @type {number} */ colour, /** @type {number} */ at) => {
        const here = (row + 2 * Math.floor(at / predicted.width)) * width + column + 2 * (at % predicted.width);
        return near[colour * plane + here] + predicted.data[colour * size + at];
      };
      const bands = /** @type {[number, number][]} */ (Array(3).fill([height, width]));
      const place = { part: 0, y, height, width, first: 0, bands, row, column, bits };
      this.code(place, means, predicted.data.subarray(3 * size), base.slice(3 * n, 3 * n + 3));
      for (let i = row; i < height; i += 2) for (let j = column; j < width; j += 2) mask[i * width + j] = 1;
    }
    const x = room(6, height, width, 1);
    putLogarithms(x, 0, surroundings(y, height, width, 1), 3, 1);
    repeatEdges(x, 1);
    const f = await this.model.run("features", { x, hint: this.hint }, "low_pass");
    return { y, f, height, width, bits };
  }

  /**
   * A level's details: grey's three bands, then six of both colours.
   * @param {number} part
   * @param {Planes} coarser features
   * @param {Int32Array} low the low-pass that the details refine
   * @returns {Promise<Part>}
   */
  async level(part, coarser, low) {
    const [height, width] = this.sides[this.levels - part + 1];
    const name = `levels.${part}`;
    const f = await this.begin(part, coarser, low);
    const bands = bandSizes(...this.sides[this.levels - part]);
    const base = this.baseOf(part);
    const y = new Int32Array(9 * height * width);
    const bits = new Float32Array(height * width);
    const place = { part, y, height, width, bits };

    const grey = { ...place, first: 0, bands };
    await this.checkerboard(`${name}.grey`, f, grey, [base.slice(0, 3), base.slice(9, 12)]);
    const colours = { ...place, first: 3, bands: [...bands, ...bands] };
    await this.checkerboard(`${name}.colour`, f, colours, [base.slice(3, 9), base.slice(12, 18)]);

    if (part === this.levels) return { y, f, height, width, bits };
    const x = room(18, height, width, 1);
    putLogarithms(x, 0, y, 9, 1);
    repeatEdges(x, 1);
    return { y, f: await this.model.run("end", { f, x }, name), height, width, bits };
  }

  /**
   * The features that a level's own coefficients are predicted from.
   * @param {number} part
   * @param {Planes} coarser
   * @param {Int32Array} low
   */
  async begin(part, coarser, low) {
    const [height, width] = this.sides[this.levels - part + 1];
    const up = await this.model.run("up", { x: coarser }, `levels.${part}`);
    const x = room(up.channels + 6, height, width, 1);
    putFeatures(up, x, 1, part > 1); // the low-pass and the coarsest details have one size
    putLogarithms(x, up.channels, surroundings(low, height, width, 2), 3, 1);
    repeatEdges(x, 1);
    return this.model.run("begin", { x, hint: this.hint }, `levels.${part}`);
  }

  /**
   * Some bands in two passes.
   * @param {string} name of its networks
   * @param {Planes} features
   * @param {Omit<import("./symbols.js").Place, "row" | "column">} place whose grey bands are known, if it is not they
   * @param {number[][]} base log-scales of both passes
   */
  async checkerboard(name, features, place, base) {
    const { y, height, width, first, bands } = place;
    const plane = height * width;
    for (const [half, places] of HALVES.entries()) {
      const own = half ? 2 * bands.length : 0; // planes of what is seen of the bands themselves
      const around = room(2 * first + own, height, width, 1);
      putLogarithms(around, 0, y, first, 1);
      if (half) putLogarithms(around, 2 * first, y.subarray(first * plane), bands.length, 1);
      repeatEdges(around, 1);
      for (const [row, column] of places) {
        const f = quarter(features, row, column);
        const size = f.height * f.width;
        if (!size) continue;
        const [h, w] = [2 * f.height + 1, 2 * f.width + 1];
        const rows = (/** @type {number} */ from, /** @type {number} */ to) => {
          return cut(around, row + from, column, to - from, w);
        };
        const x = { channels: around.channels, height: h, width: w, rows };
        const network = around.channels ? "checkerboard" : "blind";
        const { data } = await this.model.run(network, around.channels ? { f, x } : { f }, `${name}.${half}`);
        const means = first ? this.following(data, place, row, column, f.width, size) : meansIn(data, size);
        const logScales = data.subarray(bands.length * size);
        this.code({ ...place, row, column }, means, logScales, base[half]);
      }
    }
  }

  /**
   * Means of colours: to the network's a multiple of grey is added, which lies between −1 and 1.
   * @param {Float32Array} data means, log-scales, factors
   * @param {Omit<import("./symbols.js").Place, "row" | "column">} place
   * @param {number} row
   * @param {number} column
   * @param {number} w width of a quarter
   * @param {number} size of a quarter
   */
  following(data, { y, height, width, bands }, row, column, w, size) {
    const factors = data.subarray(2 * bands.length * size);
    return (/** @type {number} */ band, /** @type {number} */ at) => {
      const here = (row + 2 * Math.floor(at / w)) * width + column + 2 * (at % w);
      const grey = Math.min(Math.max(y[(band % 3) * height * width + here], -255 * 256), 255 * 256);
      const factor = Math.min(Math.max(factors[band * size + at], -256), 256);
      return data[band * size + at] + roundHalfEven((factor * grey) / 256);
    };
  }

  /**
   * @param {import("./symbols.js").Place} place
   * @param {(plane: number, at: number) => number} means
   * @param {Float32Array} logScales
   * @param {number[]} base
   */
  code(place, means, logScales, base) {
    const begin = performance.now();
    codeQuarter(this.symbols, place, means, logScales, base);
    this.entropySeconds += (performance.now() - begin) / 1000;
  }

  /**
   * A part's base log-scales, to which the networks add, in units of 1/256.
   * @param {number} part
   */
  baseOf(part) {
    return interpolated(this.model.values(`base_log_scale.${part}`), this.quality).map(roundHalfEven);
  }
}

/**
 * @param {Float32Array} data
 * @param {number} size of a plane
 */
function meansIn(data, size) {
  return (/** @type {number} */ plane, /** @type {number} */ at) => data[plane * size + at];
}
