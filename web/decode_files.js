/**
 * Decode .lic files in Node: `node web/decode_files.js [--slices K] MODEL_FOLDER OUT_FOLDER FILE.lic …`
 *
 * For each NAME.lic it writes NAME.latents (all parts, int32) and NAME.rgba; and prints a line of JSON, with what else
 * the decoder says, or the sentence of an error.
 */

import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

import { loadDecoder } from "./node_decoder.js";

const { values, positionals } = parseArgs({ options: { slices: { type: "string" } }, allowPositionals: true });
const [folder, target, ...files] = positionals;
const options = values.slices === undefined ? {} : { slices: Number(values.slices) };
const decoder = await loadDecoder(folder);
for (const file of files) {
  const name = basename(file, ".lic");
  try {
    const { parts, rgba, bits, ...rest } = await decoder.decode(await readFile(file), options);
    const latents = Buffer.concat(parts.map((part) => Buffer.from(part.buffer)));
    await writeFile(join(target, `${name}.latents`), latents);
    await writeFile(join(target, `${name}.rgba`), rgba);
    console.log(JSON.stringify({ name, ...rest, bits: { width: bits.width, height: bits.height } }));
  } catch (error) {
    console.log(JSON.stringify({ name, error: error instanceof Error ? error.message : String(error) }));
  }
}
