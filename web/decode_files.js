/**
 * Decode .lic files in Node: `node web/decode_files.js [--slices K] MODEL_FOLDER OUT_FOLDER FILE.lic …`
 *
 * For each NAME.lic it writes NAME.latents (all parts, int32) and NAME.rgba; and prints a line of JSON: what else the
 * decoder says, how many bytes of memory the process has held at most, and an error's sentence. Where there is no
 * picture, the line says the error's kind, too.
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
    const { result, fault: error } = await decoder.open(await readFile(file), options);
    const { parts, rgba, bits, ...facts } = result;
    const peak = 1024 * process.resourceUsage().maxRSS;
    const latents = Buffer.concat(parts.map((part) => Buffer.from(part.buffer)));
    await writeFile(join(target, `${name}.latents`), latents);
    await writeFile(join(target, `${name}.rgba`), rgba);
    console.log(JSON.stringify({ name, ...facts, error, peak_memory: peak }));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.log(JSON.stringify({ name, error: error.message, kind: error.name }));
  }
}
