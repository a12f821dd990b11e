/**
 * Networks on large pictures, a strip of rows at a time, so that what they compute within takes bounded memory.
 *
 * What a network computes depends on a small surrounding only. So a strip gets some rows more on both sides, its
 * network's margin, and what comes out of these is left out: there, edges were repeated where the picture goes on.
 */

/** @typedef {import("./model.js").Planes} Planes */
/** @typedef {import("./model.js").Rows} Rows */

/** Numbers of the inputs of one strip, about; a picture of 768 × 512 needs no strips. */
export const STRIP = 2 ** 22;
const LEAST = 8; // rows of a strip, margins not counted

/**
 * Of each network, which rows of its inputs belong to rows a to b of its result (in fours, for the restoration): those
 * from times · a to times · b + more. Inputs that are not named here have no rows.
 * @type {Record<string, {inputs: Record<string, {times: number, more: number}>, result: number}>}
 */
const ROWS = {
  up: { inputs: { x: { times: 1, more: 0 } }, result: 1 },
  begin: { inputs: { x: { times: 1, more: 2 } }, result: 1 },
  blind: { inputs: { f: { times: 1, more: 0 } }, result: 1 },
  checkerboard: { inputs: { f: { times: 1, more: 0 }, x: { times: 2, more: 1 } }, result: 1 },
  end: { inputs: { f: { times: 1, more: 0 }, x: { times: 1, more: 2 } }, result: 1 },
  corrections: { inputs: { f: { times: 1, more: 0 } }, result: 1 },
  last_features: { inputs: { f: { times: 1, more: 0 }, y: { times: 1, more: 0 } }, result: 1 },
  restoration: {
    inputs: { x: { times: 4, more: 0 }, fine: { times: 2, more: 0 }, coarse: { times: 1, more: 0 } },
    result: 4,
  },
};

/**
 * Run a network on its inputs, in strips if they are large.
 * @param {string} network
 * @param {Record<string, Planes | Rows>} inputs
 * @param {number} margin
 * @param {number} most numbers of the inputs of a strip
 * @param {(inputs: Record<string, Planes>) => Promise<Planes>} run
 * @returns {Promise<Planes>}
 */
export async function inStrips(network, inputs, margin, most, run) {
  const { inputs: rows, result } = ROWS[network] ?? { inputs: {}, result: 1 };
  const part = (/** @type {(name: string, height: number) => [number, number]} */ span) => {
    const made = Object.entries(inputs).map(([name, input]) => [name, rowsOf(input, ...span(name, input.height))]);
    return run(Object.fromEntries(made));
  };
  const whole = () => part((_, height) => [0, height]);
  const [first] = Object.keys(rows);
  if (!first) return whole();
  const height = (inputs[first].height - rows[first].more) / rows[first].times;
  const perRow = Object.entries(rows).reduce((sum, [name, { times }]) => {
    return sum + inputs[name].channels * times * inputs[name].width;
  }, 0);
  const strip = Math.max(LEAST, Math.floor(most / perRow));
  if (height <= 1.25 * strip) return whole();
  /** @type {Planes | undefined} */
  let joined;
  for (let begin = 0; begin < height; begin += strip) {
    const end = Math.min(begin + strip, height);
    const [from, to] = [Math.max(begin - margin, 0), Math.min(end + margin, height)];
    const made = await part((name, all) => {
      const { times, more } = rows[name] ?? { times: 0, more: all };
      return [times * from, times * to + more];
    });
    joined ??= emptyLike(made, result * height);
    putRows(joined, result * begin, made, result * (begin - from), result * (end - from));
  }
  return /** @type {Planes} */ (joined);
}

/**
 * @param {Planes | Rows} planes
 * @param {number} begin
 * @param {number} end
 * @returns {Planes}
 */
export function rowsOf(planes, begin, end) {
  if ("rows" in planes) return planes.rows(begin, end);
  const { channels, height, width, data } = planes;
  if (begin === 0 && end === height) return planes;
  const part = new Float32Array(channels * (end - begin) * width);
  for (let channel = 0; channel < channels; channel++) {
    const from = (channel * height + begin) * width;
    part.set(data.subarray(from, from + (end - begin) * width), channel * (end - begin) * width);
  }
  return { channels, height: end - begin, width, data: part };
}

/**
 * @param {Planes} planes
 * @param {number} height
 * @returns {Planes}
 */
function emptyLike({ channels, width }, height) {
  return { channels, height, width, data: new Float32Array(channels * height * width) };
}

/**
 * @param {Planes} target
 * @param {number} row where they go
 * @param {Planes} planes
 * @param {number} begin
 * @param {number} end
 */
function putRows(target, row, { channels, height, width, data }, begin, end) {
  for (let channel = 0; channel < channels; channel++) {
    const from = channel * height * width;
    target.data.set(data.subarray(from + begin * width, from + end * width), (channel * target.height + row) * width);
  }
}
