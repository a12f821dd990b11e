/** What Python says (tests/web/web_vectors.py); `tests/web` asks it, and runs these tests. */

import { readFileSync } from "node:fs";

const path = process.env.LIC_VECTORS;

export const vectors = path ? JSON.parse(readFileSync(path, "utf-8")) : undefined;

/** For `test`: why a test is skipped, if it is. */
export const unlessVectors = { skip: vectors ? false : "run by tests/web, which writes the vectors." };

/** The exported codec's folder. */
export const model = process.env.LIC_MODEL;

/** For `test`, too. */
export const unlessModel = { skip: model ? false : "run by tests/web, which exports the codec." };

/** @param {string} hex */
export function bytes(hex) {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}
