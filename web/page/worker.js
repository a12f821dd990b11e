/**
 * The worker: gets the bytes of a .lic file, or a photo and a quality, and sends what becomes of them.
 *
 * It fetches the decoder for its first task, and keeps it for the next. Where that fails, the page ends the worker.
 *
 * @typedef {import("./codec.js").Picture} Picture
 * @typedef {Uint8Array | {photo: Picture, quality: number}} Task
 * @typedef {{kind: "loading", fraction: number}} Loading
 * @typedef {{kind: "loaded"}} Loaded
 * @typedef {{kind: "part", n: number, of: number, picture: Picture}} Part
 * @typedef {{kind: "decoded", result: import("./codec.js").Result, fault: string | null}} Decoded
 * fault: what is wrong with a file of which the first few parts could be read.
 * @typedef {{kind: "coded", n: number, of: number}} Coded parts
 * @typedef {{kind: "encoded", file: Uint8Array, seconds: number}} Encoded
 * @typedef {{kind: "failed", because: "file" | "size" | "decoder", sentence: string}} Failed
 * @typedef {Loading | Loaded | Part | Decoded | Coded | Encoded | Failed} Message
 */

import { fetchBytes } from "./fetching.js";
import { reasonOf } from "./words.js";

const ORT = new URL("../ort/", import.meta.url);
const MODEL = new URL("../model/", import.meta.url);

/** @type {ReturnType<typeof load> | undefined} */
let loading;

self.onmessage = async (/** @type {MessageEvent<Task>} */ { data }) => {
  loading ??= load();
  let loaded, encoder;
  try {
    loaded = await loading;
    if (!(data instanceof Uint8Array)) encoder = await import("../encoder/encoder.js");
    send({ kind: "loaded" });
  } catch (error) {
    send({ kind: "failed", because: "decoder", sentence: reasonOf(error) });
    return;
  }
  const { decoder, module } = loaded;
  try {
    if (data instanceof Uint8Array) await decode(data, decoder);
    else if (encoder) await encode(data.photo, data.quality, decoder, encoder);
  } catch (error) {
    const because = error instanceof module.BitstreamError ? "file" : error instanceof RangeError ? "size" : "decoder";
    send({ kind: "failed", because, sentence: reasonOf(error) });
  }
};

/**
 * @param {Picture} photo
 * @param {number} quality
 * @param {import("../decoder/decoder.js").Decoder} decoder
 * @param {typeof import("../encoder/encoder.js")} encoder
 */
async function encode(photo, quality, decoder, encoder) {
  const { file, seconds } = await encoder.encode(decoder, photo, quality, (n, of) => send({ kind: "coded", n, of }));
  send({ kind: "encoded", file, seconds: seconds.total });
}

/**
 * @param {Uint8Array} file
 * @param {import("../decoder/decoder.js").Decoder} decoder
 */
async function decode(file, decoder) {
  /** @type {(n: number, of: number, picture: Picture) => void} */
  const onPart = (n, of, picture) => send({ kind: "part", n, of, picture });
  const { result, fault } = await decoder.open(file, { onPart });
  const buffers = [result.rgba, result.bits.values, ...result.parts].map(({ buffer }) => buffer);
  send({ kind: "decoded", result, fault }, /** @type {ArrayBuffer[]} */ (buffers)); // copies would take memory
}

async function load() {
  send({ kind: "loading", fraction: 0 });
  const module = await import("../decoder/decoder.js");
  const ort = await import(String(new URL("ort.wasm.min.mjs", ORT)));
  ort.env.wasm.wasmPaths = String(ORT);
  ort.env.wasm.numThreads = 1; // more need headers that a plain server of files does not send
  const read = (/** @type {string} */ name) => fetchBytes(new URL(name, MODEL));
  const onProgress = (/** @type {number} */ fraction) => send({ kind: "loading", fraction });
  return { decoder: await module.Decoder.load(ort, read, onProgress), module };
}

/**
 * @param {Message} message
 * @param {ArrayBuffer[]} [transfer] what is handed over with it
 */
function send(message, transfer = []) {
  self.postMessage(message, { transfer });
}
