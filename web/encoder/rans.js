/**
 * The entropy encoder: rANS, as `tutorial_lib/rans.py` describes it. It works from the last symbol to the first.
 *
 * The state is kept in two halves of 32 bits, as in the decoder. A push,
 *
 *     x  ->  (x // freq) · 2^16 + x % freq + start,
 *
 * divides them one after the other, as on paper: what is divided stays below 2^48, which doubles hold exactly.
 */

import { LOW, WORD } from "../decoder/rans.js";

/** Codes a stream piece by piece, the last piece first. */
export class Encoder {
  /** @param {import("../decoder/rans.js").Tables} tables */
  constructor(tables) {
    this.tables = tables;
    this.low = LOW;
    this.high = 0;
    this.words = new Uint32Array(1024); // from the last to the first
    this.count = 0;
  }

  /** How many bytes have been written; `finish` adds 8. */
  get size() {
    return 4 * this.count;
  }

  /**
   * Code these in front of all that has been coded so far.
   * @param {ArrayLike<number>} symbols
   * @param {ArrayLike<number>} indexes of their tables
   */
  push(symbols, indexes) {
    const { cdf, begin, offset, symbols: listed } = this.tables;
    for (let n = symbols.length - 1; n >= 0; n--) {
      const t = indexes[n];
      const escape = listed[t] - 1; // the row's last symbol
      let k = symbols[n] - offset[t];
      if (k < 0 || k >= escape) {
        this.escape(k, escape);
        k = escape;
      }
      const start = cdf[begin[t] + k];
      const freq = cdf[begin[t] + k + 1] - start;
      if (this.high >>> 15 >= freq) this.moveOut();
      const above = Math.floor(this.high / freq);
      const rest = (this.high - above * freq) * WORD + this.low;
      const below = Math.floor(rest / freq);
      this.low = ((below << 16) | (rest - below * freq + start)) >>> 0;
      this.high = above * 2 ** 16 + (below >>> 16);
    }
  }

  /** The stream. */
  finish() {
    const stream = new Uint8Array(8 + this.size);
    const view = new DataView(stream.buffer);
    view.setUint32(0, this.low, true);
    view.setUint32(4, this.high, true);
    for (let n = 0; n < this.count; n++) view.setUint32(stream.length - 4 * (n + 1), this.words[n], true);
    return stream;
  }

  /**
   * What follows an escape: how many hexadecimal digits, and the digits.
   * @param {number} k a symbol that the table does not list, minus the offset
   * @param {number} listed how many are listed
   */
  escape(k, listed) {
    let r = k < 0 ? -2 * k - 1 : 2 * (k - listed); // up to 2^33
    const digits = [];
    for (; r > 0; r = Math.floor(r / 16)) digits.push(r % 16);
    for (const digit of [...digits].reverse()) this.nibble(digit);
    this.nibble(digits.length);
  }

  /**
   * A symbol that owns 1 of 2^4 counts.
   * @param {number} nibble
   */
  nibble(nibble) {
    if (this.high >>> 27) this.moveOut();
    this.high = (this.high << 4) | (this.low >>> 28);
    this.low = ((this.low << 4) | nibble) >>> 0;
  }

  /** Write the state's lower half. */
  moveOut() {
    if (this.count === this.words.length) {
      const longer = new Uint32Array(2 * this.count);
      longer.set(this.words);
      this.words = longer;
    }
    this.words[this.count++] = this.low;
    this.low = this.high;
    this.high = 0;
  }
}
