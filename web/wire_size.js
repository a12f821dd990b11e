/**
 * What a browser fetches before it can decode a file, or encode a photo: `node web/wire_size.js build/web` prints
 * bytes, as they are and compressed as servers do it. Samples are not counted, nor what the page needs besides.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [folder] = process.argv.slice(2);
const most = 6e6; // over the wire

/** @param {string} name */
function sizesOf(name) {
  const sums = [0, 0, 0];
  for (const file of readdirSync(join(folder, name)).filter((each) => !each.endsWith(".txt"))) {
    const bytes = readFileSync(join(folder, name, file));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
    const each = [bytes.length, gzipSync(bytes).length, brotliCompressSync(bytes, { params }).length];
    each.forEach((size, n) => (sums[n] += size));
  }
  return sums;
}

const rows = ["ort", "model", "decoder", "encoder"].map((name) => ({ name, sizes: sizesOf(name) }));
rows.push({ name: "together", sizes: [0, 1, 2].map((n) => rows.reduce((sum, { sizes }) => sum + sizes[n], 0)) });
console.log(["bytes".padEnd(10), "as they are", "gzip", "brotli"].map((word) => word.padStart(12)).join(""));
for (const { name, sizes } of rows) {
  const cells = sizes.map((size) => size.toLocaleString("en-US"));
  console.log([name.padEnd(10), ...cells].map((word) => word.padStart(12)).join(""));
}
if (rows[rows.length - 1].sizes[1] > most) {
  console.error(`That is more than ${most.toLocaleString("en-US")} bytes over the wire.`);
  process.exitCode = 1;
}
