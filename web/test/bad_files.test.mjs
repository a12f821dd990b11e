import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";

import { readHeader } from "../decoder/container.js";
import { BitstreamError, Decoder } from "../decoder/decoder.js";
import { pack } from "../encoder/container.js";
import { loadDecoder } from "../node_decoder.js";
import { bytes, model, unlessModel, unlessVectors, vectors } from "./from_python.mjs";

/** @type {Decoder} */
let decoder;
/** @type {Uint8Array} */
let sound;
/** @type {import("../decoder/container.js").Header} */
let facts;
/** @type {Uint8Array[]} */
let strings;

before(async () => {
  if (!model) return;
  decoder = await loadDecoder(model);
  sound = new Uint8Array(await readFile(join(model, "self_test.lic")));
  facts = readHeader(sound);
  strings = facts.sections.map(({ begin, end }) => sound.slice(begin, end));
});

/**
 * A picture of the size that the file says, or an error with one sentence.
 * @param {Uint8Array} file
 * @param {{slices?: number}} [options]
 */
async function outcome(file, options) {
  let picture;
  try {
    picture = await decoder.decode(file, options);
  } catch (error) {
    assert.ok(error instanceof BitstreamError || error instanceof RangeError, String(error));
    assert.match(error.message, /^[^\n]*\.$/);
    return error.message;
  }
  const { width, height } = readHeader(file);
  assert.deepEqual([picture.width, picture.height], [width, height]);
  assert.equal(picture.rgba.length, 4 * width * height);
  return null;
}

test("the container's corpus: every file is refused", { skip: unlessModel.skip || unlessVectors.skip }, async () => {
  for (const { file } of vectors.container) assert.notEqual(await outcome(bytes(file)), null, file);
});

test("a size beyond the limit is refused at once, whatever else there is", unlessModel, async () => {
  const before = process.memoryUsage().arrayBuffers;
  for (const [width, height] of [[65535, 2048], [11585, 11585], [65535, 700]]) {
    assert.match(String(await outcome(pack({ ...facts, width, height }, strings))), /too large for a browser/);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20);
});

test("a large size, with a stream that is much too short for it, sets aside no picture", unlessModel, async () => {
  const before = process.memoryUsage().arrayBuffers;
  assert.match(String(await outcome(pack({ ...facts, width: 4096, height: 4096 }, strings))), /stream/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 26);
});

test("files of others are refused in the command's words", unlessModel, async () => {
  const other = { ...facts, fingerprint: "0".repeat(16) };
  assert.match(String(await outcome(pack(other, strings))), /^the file was made with another checkpoint \(with the/);
  const name = { ...facts, codec: "first_codec" };
  const sentence = "the file was made by the codec called first_codec, not by codec.";
  assert.equal(await outcome(pack(name, strings)), sentence);
  const five = "the file holds 5 string(s), while a picture with all its slices takes 6.";
  assert.equal(await outcome(pack(facts, strings.slice(0, 5))), five);
});

test("a file that was cut short gives its first slices, and says how many", unlessModel, async () => {
  const cut = sound.subarray(0, readHeader(sound).sections[3].end + 5);
  await assert.rejects(decoder.decode(cut), { name: "IncompleteFile", slices: 3 });
  assert.equal(await outcome(cut, { slices: 3 }), null);
  await assert.rejects(decoder.decode(cut, { slices: 4 }), { name: "IncompleteFile" });
  await assert.rejects(decoder.decode(cut, { slices: 6 }), RangeError);
});

test("parts are told one by one, in growing sizes, and the work can be stopped", unlessModel, async () => {
  /** @type {number[][]} */
  const seen = [];
  await decoder.decode(sound, { onPart: (n, of, { width, height }) => seen.push([n, of, width, height]) });
  const sides = [[3, 2], [6, 4], [11, 8], [21, 16], [42, 31]];
  assert.deepEqual(seen, sides.map(([width, height], n) => [n + 1, 6, width, height]));
  const stop = new AbortController();
  const stopped = decoder.decode(sound, { onPart: () => stop.abort(new Error("enough")), signal: stop.signal });
  await assert.rejects(stopped, /enough/);
});
