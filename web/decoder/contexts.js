/**
 * What the prior's networks see of coefficients: logarithms, surroundings, quarters of a picture.
 *
 * Coefficients and low-passes are whole numbers in units of 1/256 of the quantizer's step (Int32Array), planes one
 * behind another. What is given to networks is whole, too, in units of 1/64 (Float32Array).
 */

/** @typedef {import("./model.js").Planes} Planes */

const LOGARITHMS = 2 ** 16; // entries of the table: magnitudes up to 256 steps
/** log(1 + n/256) in units of 1/64: no entry is near a half, where machines might differ. */
const LOGARITHM = Float32Array.from({ length: LOGARITHMS }, (_, n) => Math.round(Math.log1p(n / 256) * 64));

/**
 * The nearest whole number; of two, the even one, as `torch.round` does it.
 * @param {number} x
 */
export function roundHalfEven(x) {
  const rounded = Math.round(x); // halves upwards
  return rounded - x === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/**
 * Empty planes with a margin on all sides.
 * @param {number} channels
 * @param {number} height
 * @param {number} width
 * @param {number} margin
 * @returns {Planes}
 */
export function room(channels, height, width, margin) {
  const [h, w] = [height + 2 * margin, width + 2 * margin];
  return { channels, height: h, width: w, data: new Float32Array(channels * h * w) };
}

/**
 * Write coefficients as networks see them, sign · log(1 + |y|), then magnitudes: 2 · channels planes.
 * @param {Planes} target of the coefficients' size and a margin, which is left as it is
 * @param {number} first plane of the target
 * @param {Int32Array} y
 * @param {number} channels
 * @param {number} margin
 */
export function putLogarithms(target, first, y, channels, margin) {
  const { height, width, data } = target;
  const [h, w] = [height - 2 * margin, width - 2 * margin];
  const magnitudes = channels * height * width;
  for (let channel = 0, from = 0; channel < channels; channel++) {
    for (let row = 0; row < h; row++) {
      let to = ((first + channel) * height + row + margin) * width + margin;
      for (const end = from + w; from < end; from++, to++) {
        const value = y[from];
        const size = LOGARITHM[Math.min(Math.abs(value), LOGARITHMS - 1)];
        data[to] = value < 0 ? -size : size;
        data[to + magnitudes] = size;
      }
    }
  }
}

/**
 * Fill the margin with the outermost values.
 * @param {Planes} planes
 * @param {number} margin
 */
export function repeatEdges({ channels, height, width, data }, margin) {
  for (let channel = 0; channel < channels; channel++) {
    const plane = data.subarray(channel * height * width, (channel + 1) * height * width);
    for (let row = margin; row < height - margin; row++) {
      const begin = row * width;
      plane.fill(plane[begin + margin], begin, begin + margin);
      plane.fill(plane[begin + width - margin - 1], begin + width - margin, begin + width);
    }
    for (let row = 0; row < margin; row++) {
      plane.copyWithin(row * width, margin * width, (margin + 1) * width);
      plane.copyWithin((height - 1 - row) * width, (height - margin - 1) * width, (height - margin) * width);
    }
  }
}

/**
 * Each position four times, into the first planes of a target with a margin; or once, if sizes are equal.
 * @param {Planes} f
 * @param {Planes} target
 * @param {number} margin
 * @param {boolean} twice
 */
export function putFeatures(f, target, margin, twice) {
  const shift = twice ? 1 : 0;
  const [h, w] = [target.height - 2 * margin, target.width - 2 * margin];
  for (let channel = 0; channel < f.channels; channel++) {
    for (let row = 0; row < h; row++) {
      const from = (channel * f.height + (row >> shift)) * f.width;
      const to = (channel * target.height + row + margin) * target.width + margin;
      for (let column = 0; column < w; column++) target.data[to + column] = f.data[from + (column >> shift)];
    }
  }
}

/**
 * What a low-pass (three planes) has more than the mean of the square around it; edges are repeated.
 * @param {Int32Array} low
 * @param {number} height
 * @param {number} width
 * @param {number} radius
 */
export function surroundings(low, height, width, radius) {
  const share = Math.fround(1 / (2 * radius + 1) ** 2);
  const result = new Int32Array(low.length);
  const sums = new Int32Array(height * width);
  for (let begin = 0; begin < low.length; begin += height * width) {
    const plane = low.subarray(begin, begin + height * width);
    for (let row = 0; row < height; row++) {
      const at = row * width;
      for (let column = 0; column < width; column++) {
        let sum = 0;
        for (let n = -radius; n <= radius; n++) sum += plane[at + Math.min(Math.max(column + n, 0), width - 1)];
        sums[at + column] = sum;
      }
    }
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        let sum = 0;
        for (let n = -radius; n <= radius; n++) {
          sum += sums[Math.min(Math.max(row + n, 0), height - 1) * width + column];
        }
        const at = row * width + column;
        result[begin + at] = plane[at] - roundHalfEven(Math.fround(sum * share)); // one product, in float32
      }
    }
  }
  return result;
}

/**
 * The mean of the known positions in the square around each; 0 where there are none. Three planes.
 * @param {Int32Array} known with zeros where nothing is known
 * @param {Uint8Array} mask 1 where a position is known
 * @param {number} height
 * @param {number} width
 * @param {number} radius
 */
export function meanOfKnown(known, mask, height, width, radius) {
  const result = new Int32Array(known.length);
  const plane = height * width;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const sums = [0, 0, 0];
      let count = 0;
      for (let y = Math.max(row - radius, 0); y <= Math.min(row + radius, height - 1); y++) {
        for (let x = Math.max(column - radius, 0); x <= Math.min(column + radius, width - 1); x++) {
          const at = y * width + x;
          count += mask[at];
          for (let colour = 0; colour < 3; colour++) sums[colour] += known[colour * plane + at];
        }
      }
      const share = Math.fround(1 / Math.max(count, 1));
      for (let colour = 0; colour < 3; colour++) {
        result[colour * plane + row * width + column] = roundHalfEven(Math.fround(sums[colour] * share));
      }
    }
  }
  return result;
}

/**
 * Every second row and column.
 * @param {Planes} planes
 * @param {number} row the first
 * @param {number} column the first
 * @returns {Planes}
 */
export function quarter({ channels, height, width, data }, row, column) {
  const [h, w] = [(height - row + 1) >> 1, (width - column + 1) >> 1];
  const result = new Float32Array(channels * h * w);
  for (let channel = 0, to = 0; channel < channels; channel++) {
    for (let y = row; y < height; y += 2) {
      const begin = (channel * height + y) * width;
      for (let x = column; x < width; x += 2) result[to++] = data[begin + x];
    }
  }
  return { channels, height: h, width: w, data: result };
}

/**
 * A rectangle.
 * @param {Planes} planes
 * @param {number} row
 * @param {number} column
 * @param {number} h
 * @param {number} w
 * @returns {Planes}
 */
export function cut({ channels, height, width, data }, row, column, h, w) {
  const result = new Float32Array(channels * h * w);
  for (let channel = 0, to = 0; channel < channels; channel++) {
    for (let y = row; y < row + h; y++, to += w) {
      const begin = (channel * height + y) * width + column;
      result.set(data.subarray(begin, begin + w), to);
    }
  }
  return { channels, height: h, width: w, data: result };
}
