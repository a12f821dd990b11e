/** Damaged files with checksums that fit: what lies behind them is what a forger reaches. */

import { crc16, crc32 } from "../decoder/checksums.js";

/**
 * Random numbers that come again: a linear congruential generator (Numerical Recipes' constants).
 * @param {number} seed
 * @returns {(below: number) => number} a whole number from 0 on
 */
export function generator(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/**
 * A file of a codec of some strings, with a header that fits.
 * @typedef {{width: number, height: number, quality: number, fingerprint: Uint8Array, codec: string,
 *            required: number}} Facts
 * @param {Facts} facts
 * @param {Uint8Array[]} strings
 */
export function packed({ width, height, quality, fingerprint, codec, required }, strings) {
  const two = (/** @type {number} */ n) => [n & 255, n >> 8];
  const name = [...codec].map((letter) => letter.charCodeAt(0));
  const head = [0x89, 0x4c, 0x49, 0x43, 3, quality, ...two(width), ...two(height), ...fingerprint];
  head.push(strings.length, required, name.length, ...name);
  for (const string of strings) head.push(...varint(string.length), ...two(crc16(string)));
  const header = Uint8Array.from(head);
  const checksum = new Uint8Array(Uint32Array.of(crc32(header)).buffer); // little-endian, as all machines here are
  return Uint8Array.from(Buffer.concat([header, checksum, ...strings]));
}

/** @param {number} n */
function varint(n) {
  const pieces = [n & 127];
  while ((n >>>= 7)) {
    pieces[pieces.length - 1] |= 128;
    pieces.push(n & 127);
  }
  return pieces;
}
