import assert from "node:assert/strict";
import { test } from "node:test";

import { crc16, crc32 } from "../decoder/checksums.js";
import { unpack } from "../decoder/container.js";
import { BitstreamError } from "../decoder/errors.js";
import { bytes, unlessVectors, vectors } from "./from_python.mjs";

test("checksums are those of the catalogue of CRCs, CRC-32/ISO-HDLC and CRC-16/XMODEM", () => {
  const text = new TextEncoder().encode("123456789");
  assert.equal(crc32(text), 0xcbf43926);
  assert.equal(crc16(text), 0x31c3);
  assert.equal(crc32(text.subarray(4), crc32(text.subarray(0, 4))), 0xcbf43926);
});

/** @param {Uint8Array} data @param {number} [strings] */
function said(data, strings) {
  try {
    const { header, strings: pieces } = unpack(data, strings);
    const { width, height, fingerprint, codec, quality, required } = header;
    const hex = pieces.map((piece) => Buffer.from(piece).toString("hex"));
    return { width, height, fingerprint, codec, quality, required, strings: hex };
  } catch (error) {
    if (!(error instanceof BitstreamError)) throw error;
    return { error: error.message };
  }
}

test("sound and damaged files say what they say to Python, errors word for word", unlessVectors, () => {
  assert.ok(vectors.container.length > 1000);
  for (const { file, all, first } of vectors.container) {
    assert.deepEqual(said(bytes(file)), all, file);
    assert.deepEqual(said(bytes(file), 1), first, file);
  }
});
