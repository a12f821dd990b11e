/** Writes the .lic container, whose layout `tutorial_lib/bitstream.py` describes; `decoder/container.js` reads it. */

import { crc16, crc32 } from "../decoder/checksums.js";
import { FIXED, joined, MAGIC, VERSION } from "../decoder/container.js";

/**
 * The bytes of a file.
 * @param {{width: number, height: number, quality: number, fingerprint: string, codec: string,
 *          required: number}} facts required: how many of the strings a decoder needs
 * @param {Uint8Array[]} strings
 */
export function pack({ width, height, quality, fingerprint, codec, required }, strings) {
  const header = new Uint8Array(FIXED + codec.length + 7 * strings.length + 4); // varints take five bytes at most
  const view = new DataView(header.buffer);
  header.set([...MAGIC, VERSION, quality]);
  view.setUint16(6, width, true);
  view.setUint16(8, height, true);
  for (let n = 0; n < 8; n++) header[10 + n] = parseInt(fingerprint.slice(2 * n, 2 * n + 2), 16);
  header.set([strings.length, required, codec.length], 18);
  let at = FIXED;
  for (const letter of codec) header[at++] = letter.charCodeAt(0);
  for (const string of strings) {
    let length = string.length;
    for (; length > 127; length = Math.floor(length / 128)) header[at++] = (length % 128) | 128;
    header[at++] = length;
    view.setUint16(at, crc16(string), true);
    at += 2;
  }
  view.setUint32(at, crc32(header.subarray(0, at)), true);
  return joined([header.subarray(0, at + 4), ...strings]);
}
