/**
 * Encode pictures in Node: `node web/encode_files.js MODEL_FOLDER FOLDER`
 *
 * FOLDER holds `pictures.json`, a list of names, widths, heights and qualities, and of each picture NAME.rgba. It gets
 * NAME.lic and NAME.latents (all parts, int32); and a line of JSON says the seconds, or the error's sentence.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { encode } from "./encoder/encoder.js";
import { loadDecoder } from "./node_decoder.js";

const [model, folder] = process.argv.slice(2);
const decoder = await loadDecoder(model);
for (const { name, width, height, quality } of JSON.parse(await readFile(join(folder, "pictures.json"), "utf-8"))) {
  const rgba = new Uint8ClampedArray(await readFile(join(folder, `${name}.rgba`)));
  try {
    /** @type {Buffer[]} */
    const parts = [];
    const onPart = (/** @type {number} */ _n, /** @type {number} */ _of, /** @type {Int32Array} */ y) =>
      parts.push(Buffer.from(y.buffer));
    const { file, seconds } = await encode(decoder, { width, height, rgba }, quality, onPart);
    await writeFile(join(folder, `${name}.lic`), file);
    await writeFile(join(folder, `${name}.latents`), Buffer.concat(parts));
    console.log(JSON.stringify({ name, seconds }));
  } catch (error) {
    console.log(JSON.stringify({ name, error: error instanceof Error ? error.message : String(error) }));
  }
}
