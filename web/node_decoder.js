/** The decoder in Node, for tests: it reads the exported folder from disk. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import * as ort from "onnxruntime-web/wasm";

import { Decoder } from "./decoder/decoder.js";

/**
 * @param {string} folder what `web/export.py` wrote
 * @param {number} [threads]
 */
export async function loadDecoder(folder, threads = 1) {
  ort.env.wasm.numThreads = threads;
  return Decoder.load(ort, (name) => readFile(join(folder, name)));
}
