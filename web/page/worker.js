/**
 * The worker: gets the bytes of a .lic file, and sends what becomes of them.
 *
 * It fetches the decoder for its first file, and keeps it for the next. Where that fails, the page ends the worker.
 *
 * @typedef {{kind: "loading", fraction: number}} Loading
 * @typedef {{kind: "loaded"}} Loaded
 * @typedef {{kind: "part", n: number, of: number, picture: import("./decoding.js").Picture}} Part
 * @typedef {{kind: "done", result: import("./decoding.js").Result, fault: string | null}} Done
 * fault: what is wrong with a file of which the first few parts could be read.
 * @typedef {{kind: "failed", because: "file" | "size" | "decoder", sentence: string}} Failed
 * @typedef {Loading | Loaded | Part | Done | Failed} Message
 */

import { fetchBytes } from "./fetching.js";

const ORT = new URL("../ort/", import.meta.url);
const MODEL = new URL("../model/", import.meta.url);

/** @typedef {typeof import("../decoder/decoder.js")} Module */

/** @type {ReturnType<typeof load> | undefined} */
let loading;

self.onmessage = async (/** @type {MessageEvent<Uint8Array>} */ { data }) => {
  loading ??= load();
  let loaded;
  try {
    loaded = await loading;
    send({ kind: "loaded" });
  } catch (error) {
    send({ kind: "failed", because: "decoder", sentence: sentenceOf(error) });
    return;
  }
  const { BitstreamError } = loaded.module;
  try {
    send({ kind: "done", ...(await decoded(data, loaded.decoder, loaded.module)) });
  } catch (error) {
    const because = error instanceof BitstreamError ? "file" : error instanceof RangeError ? "size" : "decoder";
    send({ kind: "failed", because, sentence: sentenceOf(error) });
  }
};

/**
 * The picture; of a file that was cut short, what its first parts give.
 * @param {Uint8Array} file
 * @param {import("../decoder/decoder.js").Decoder} decoder
 * @param {Module} module
 */
async function decoded(file, decoder, { IncompleteFile }) {
  /** @type {(n: number, of: number, picture: import("./decoding.js").Picture) => void} */
  const onPart = (n, of, picture) => send({ kind: "part", n, of, picture });
  try {
    return { result: await decoder.decode(file, { onPart }), fault: null };
  } catch (error) {
    if (!(error instanceof IncompleteFile) || error.slices === null) throw error;
    return { result: await decoder.decode(file, { onPart, slices: error.slices }), fault: error.message };
  }
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

/** @param {Message} message */
function send(message) {
  self.postMessage(message);
}

/** @param {unknown} error */
function sentenceOf(error) {
  return error instanceof Error ? error.message : String(error);
}
