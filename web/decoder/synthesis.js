/**
 * From coefficients to a picture: corrections, inverse wavelet, colours, restoration (`tutorial_lib/restoration.py`).
 *
 * All of it is float32: no symbol depends on what is computed here, so pixels may differ by a grey level from those of
 * another machine. The picture grows with the parts: what one part gives is what the next begins with.
 */

import { hintOf, interpolated, stepOf } from "./quality.js";
import { rowsOf } from "./strips.js";
import { join, sizes } from "./wavelet.js";

/** @typedef {import("./model.js").Planes} Planes */
/** @typedef {{width: number, height: number, rgba: Uint8ClampedArray}} Picture */

const UNIT = 64; // of features
const COEFFICIENT_UNIT = 256;

/** Red, green, blue of grey and of two colour differences: the 3-point DCT, orthonormal. */
export const COLOURS = [0, 1, 2].map((k) =>
  [0, 1, 2].map((n) => Math.sqrt((k ? 2 : 1) / 3) * Math.cos((Math.PI * (2 * n + 1) * k) / 6)),
);

export class Synthesis {
  /**
   * @param {import("./model.js").Model} model
   * @param {{height: number, width: number, quality: number}} picture
   */
  constructor(model, { height, width, quality }) {
    this.model = model;
    this.quality = quality;
    this.levels = model.description.levels;
    this.sides = sizes(height, width, this.levels);
    this.known = 0; // parts
    /** The picture as it is known, in steps: grey and two colour differences. */
    this.picture = new Float32Array(0);
    /** @type {Planes[]} of the last two parts */
    this.features = [];
  }

  /**
   * The next part.
   * @param {import("./passes.js").Part} part
   */
  async add({ y, f, height, width }) {
    const part = this.known++;
    const details = new Float32Array(y.length);
    for (let n = 0; n < y.length; n++) details[n] = y[n] / COEFFICIENT_UNIT;
    if (part === this.levels) {
      const shown = { channels: 9, height, width, data: details };
      f = await this.model.run("last_features", { f, y: shown }, "last_features");
    }
    this.features = [...this.features.slice(-1), f];
    if (part) {
      const unit = { channels: 1, height: 1, width: 1, data: Float32Array.of(part === this.levels ? 1 : 1 / UNIT) };
      const { data } = await this.model.run("corrections", { f, unit }, `corrections.${part - 1}`);
      for (let n = 0; n < details.length; n++) details[n] += data[n];
    }
    const factors = interpolated(this.model.values(`log_step.${part}.values`), this.quality);
    factors.forEach((factor, plane) => {
      const times = Math.exp(factor);
      for (let n = plane * height * width; n < (plane + 1) * height * width; n++) details[n] *= times;
    });
    this.picture = part ? join(this.picture, details, ...this.sides[this.levels - part]) : details;
  }

  /**
   * The small picture that the parts so far give: its sides are halved once for each level that is still unknown.
   * @returns {Picture}
   */
  small() {
    const halvings = this.levels - this.known + 1;
    const [height, width] = this.sides[halvings];
    return shown(this.turned(halvings), height, width);
  }

  /**
   * The whole picture; without the finest details, and not restored, if there are parts that were not given.
   * @returns {Promise<Picture>}
   */
  async whole() {
    const [height, width] = this.sides[0];
    const complete = this.known > this.levels;
    for (; this.known <= this.levels; this.known++) {
      const [h, w] = this.sides[this.levels - this.known + 1];
      this.picture = join(this.picture, new Float32Array(9 * h * w), ...this.sides[this.levels - this.known]);
    }
    const picture = this.turned(0, this.picture);
    return shown(complete ? await this.restored(picture, height, width) : picture, height, width);
  }

  /**
   * Red, green and blue around 0, at that many halvings.
   * @param {number} halvings
   * @param {Float32Array} [turned] where they go: the picture itself, when nobody needs it any more
   */
  turned(halvings, turned = new Float32Array(this.picture.length)) {
    const scale = stepOf(this.quality) / (255 * 2 ** halvings);
    const plane = this.picture.length / 3;
    const seen = [0, 0, 0];
    for (let n = 0; n < plane; n++) {
      for (let k = 0; k < 3; k++) seen[k] = this.picture[k * plane + n];
      for (let colour = 0; colour < 3; colour++) {
        let sum = 0;
        for (let k = 0; k < 3; k++) sum += COLOURS[k][colour] * seen[k];
        turned[colour * plane + n] = sum * scale;
      }
    }
    return turned;
  }

  /**
   * Add what the networks at a quarter and at half of the resolution make of it.
   * @param {Float32Array} picture
   * @param {number} height
   * @param {number} width
   */
  async restored(picture, height, width) {
    const [inUnits, fine] = this.features;
    const { channels, height: h, width: w } = inUnits;
    const rows = (/** @type {number} */ from, /** @type {number} */ to) => {
      const some = rowsOf(inUnits, from, to);
      return { ...some, data: some.data.map((value) => value / UNIT) };
    };
    const coarse = { channels, height: h, width: w, rows };
    const x = filled({ channels: 3, height, width, data: picture }, 4);
    const hint = { channels: 1, height: 1, width: 1, data: Float32Array.of(hintOf(this.quality)) };
    const out = await this.model.run("restoration", { x, fine: filled(fine, 2), coarse, hint }, "restoration");
    return cropped(out, height, width);
  }
}

/**
 * Edges repeated at the right and the bottom, up to multiples of a number.
 * @param {Planes} planes
 * @param {number} multiple
 * @returns {Planes}
 */
function filled({ channels, height, width, data }, multiple) {
  const [h, w] = [height, width].map((side) => Math.ceil(side / multiple) * multiple);
  if (h === height && w === width) return { channels, height, width, data };
  const result = new Float32Array(channels * h * w);
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < h; row++) {
      const begin = (channel * height + Math.min(row, height - 1)) * width;
      const to = (channel * h + row) * w;
      result.set(data.subarray(begin, begin + width), to);
      result.fill(data[begin + width - 1], to + width, to + w);
    }
  }
  return { channels, height: h, width: w, data: result };
}

/**
 * @param {Planes} planes
 * @param {number} height
 * @param {number} width
 */
function cropped({ channels, height: h, width: w, data }, height, width) {
  if (h === height && w === width) return data;
  const result = new Float32Array(channels * height * width);
  for (let row = 0; row < channels * height; row++) {
    const begin = (Math.floor(row / height) * h + (row % height)) * w;
    result.set(data.subarray(begin, begin + width), row * width);
  }
  return result;
}

/**
 * Pixels of 8 bits. A Uint8ClampedArray rounds, and cuts off what is beyond 0 and 255.
 * @param {Float32Array} rgb planes of numbers between −½ and ½
 * @param {number} height
 * @param {number} width
 * @returns {Picture}
 */
function shown(rgb, height, width) {
  const plane = height * width;
  const rgba = new Uint8ClampedArray(4 * plane).fill(255);
  for (let colour = 0; colour < 3; colour++) {
    for (let n = 0; n < plane; n++) rgba[4 * n + colour] = (rgb[colour * plane + n] + 0.5) * 255;
  }
  return { width, height, rgba };
}
