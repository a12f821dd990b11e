/** The exported codec: its weights and its networks (`web/export.py` and `web/graphs.py` wrote them). */

import { crc32 } from "./checksums.js";
import { inStrips, STRIP } from "./strips.js";

/**
 * @typedef {{name: string, kind: string, shape: number[], groups?: number[]}} Entry
 * @typedef {{codec: string, fingerprint: string, levels: number, weights: number, networks: Record<string, number>,
 *            self_test: number[], tensors: Entry[]}} Description
 * weights: the CRC-32 of weights.bin; networks: their margins, see strips.js.
 * @typedef {Float32Array | Int32Array | Uint16Array} Values
 * @typedef {(name: string) => Promise<Uint8Array | ArrayBuffer>} Read
 * @typedef {{channels: number, height: number, width: number, data: Float32Array}} Planes
 * @typedef {{channels: number, height: number, width: number, rows: (begin: number, end: number) => Planes}} Rows
 * Rows: planes that are made a few rows at a time, when a network wants them.
 * @typedef {typeof import("onnxruntime-web/wasm")} Ort
 */

export class Model {
  /**
   * @param {Ort} ort
   * @param {Description} description
   * @param {Map<string, {values: Values, shape: number[]}>} tensors
   * @param {Map<string, import("onnxruntime-web/wasm").InferenceSession>} sessions
   */
  constructor(ort, description, tensors, sessions) {
    this.description = description;
    this.ort = ort;
    this.tensors = tensors;
    this.sessions = sessions;
    this.strip = STRIP;
  }

  /**
   * onProgress: called with fractions of the work.
   * @param {Ort} ort
   * @param {Read} read
   * @param {(fraction: number) => void} onProgress
   */
  static async load(ort, read, onProgress) {
    const bytes = async (/** @type {string} */ name) => new Uint8Array(await read(name));
    const description = /** @type {Description} */ (JSON.parse(new TextDecoder().decode(await bytes("model.json"))));
    const networks = Object.keys(description.networks);
    let done = 0;
    const told = () => onProgress(++done / (networks.length + 1));
    /** @type {Map<string, import("onnxruntime-web/wasm").InferenceSession>} */
    const sessions = new Map();
    const create = async (/** @type {string} */ name) => {
      const options = { executionProviders: ["wasm"], logSeverityLevel: /** @type {const} */ (3) };
      sessions.set(name, await ort.InferenceSession.create(await bytes(`${name}.onnx`), options));
      told();
    };
    const weights = bytes("weights.bin"); // they come while WebAssembly does
    await Promise.all([weights.then(told), ...networks.map(create)]);
    if (crc32(await weights) !== description.weights) {
      throw new Error("weights.bin is not the one that model.json describes: reload, or export the codec anew.");
    }
    return new Model(ort, description, readTensors(description.tensors, await weights), sessions);
  }

  /**
   * A tensor's numbers.
   * @param {string} name
   */
  values(name) {
    return this.tensor(name).values;
  }

  /**
   * What a network makes of its inputs.
   * @param {string} network
   * @param {Record<string, Planes | Rows>} inputs
   * @param {string} prefix its weights are the tensors whose names are this and the input's
   * @returns {Promise<Planes>}
   */
  async run(network, inputs, prefix) {
    const session = /** @type {import("onnxruntime-web/wasm").InferenceSession} */ (this.sessions.get(network));
    const weights = this.weightsFor(session.inputNames, inputs, prefix);
    return inStrips(network, inputs, this.description.networks[network], this.strip, async (given) => {
      const feeds = { ...weights };
      for (const [name, { channels, height, width, data }] of Object.entries(given)) {
        feeds[name] = new this.ort.Tensor("float32", data, [1, channels, height, width]);
      }
      const { out } = await session.run(feeds).catch(memoryIsShort);
      const [, channels, height, width] = out.dims;
      return { channels, height, width, data: /** @type {Float32Array} */ (out.data) };
    });
  }

  /**
   * @param {readonly string[]} names
   * @param {Record<string, Planes | Rows>} inputs
   * @param {string} prefix
   */
  weightsFor(names, inputs, prefix) {
    /** @type {Record<string, import("onnxruntime-web/wasm").Tensor>} */
    const feeds = {};
    for (const name of names.filter((each) => !(each in inputs))) {
      const { values, shape } = this.tensor(`${prefix}.${name}`);
      feeds[name] = new this.ort.Tensor("float32", values, shape);
    }
    return feeds;
  }

  /** @param {string} name */
  tensor(name) {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`the exported codec has no tensor called ${name}: export it anew.`);
    return tensor;
  }
}

/**
 * WebAssembly says by a message that it has no more memory; arrays do it by a RangeError.
 * @param {unknown} error
 * @returns {never}
 */
function memoryIsShort(error) {
  if (!/alloc|memory/i.test(String(error))) throw error;
  throw new RangeError("its networks need more memory than there is.");
}

/**
 * @param {Entry[]} entries
 * @param {Uint8Array} data
 */
function readTensors(entries, data) {
  /** @type {Map<string, {values: Values, shape: number[]}>} */
  const tensors = new Map();
  let at = 0;
  for (const { name, kind, shape, groups } of entries) {
    const count = shape.reduce((product, side) => product * side, 1);
    const bytes = { whole: count + shape[0] * (groups?.length ?? 0), float16: 2 * count, uint16: 2 * count }[kind];
    const piece = data.slice(at, (at += bytes ?? 4 * count)); // a copy, and so aligned
    tensors.set(name, { values: decoded(kind, piece, shape, groups ?? []), shape });
  }
  return tensors;
}

/**
 * @param {string} kind
 * @param {Uint8Array} piece
 * @param {number[]} shape
 * @param {number[]} groups
 * @returns {Values}
 */
function decoded(kind, { buffer }, shape, groups) {
  if (kind === "whole") return wholeWeights(new Int8Array(buffer), shape, groups);
  if (kind === "float16") return fromFloat16(new Uint16Array(buffer));
  if (kind === "uint16") return new Uint16Array(buffer);
  return kind === "int32" ? new Int32Array(buffer) : new Float32Array(buffer);
}

/**
 * m · 2^-e: exponents of each output channel's groups of input channels come first.
 * @param {Int8Array} piece
 * @param {number[]} shape
 * @param {number[]} groups
 */
function wholeWeights(piece, [outputs, , height, width], groups) {
  let at = outputs * groups.length;
  const values = new Float32Array(piece.length - at);
  for (let output = 0, to = 0; output < outputs; output++) {
    groups.forEach((channels, group) => {
      const scale = 2 ** -piece[output * groups.length + group];
      for (const end = to + channels * height * width; to < end; to++) values[to] = piece[at++] * scale;
    });
  }
  return values;
}

/**
 * Numbers of 16 bits: a sign, 5 bits of exponent, 10 of mantissa. (IEEE 754 binary16; none is infinite.)
 * @param {Uint16Array} numbers
 */
function fromFloat16(numbers) {
  const powers = Float32Array.from({ length: 32 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));
  const values = new Float32Array(numbers.length);
  for (let n = 0; n < numbers.length; n++) {
    const exponent = (numbers[n] >> 10) & 31;
    const size = ((exponent ? 1024 : 0) + (numbers[n] & 1023)) * powers[exponent];
    values[n] = numbers[n] & 0x8000 ? -size : size;
  }
  return values;
}
