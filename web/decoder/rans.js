/**
 * The entropy decoder: rANS (range asymmetric numeral systems), as `tutorial_lib/rans.py` describes it.
 *
 * The state x is a whole number of up to 63 bits, 2^31 <= x < 2^63. JavaScript's numbers are exact up to 2^53 only, and
 * its whole numbers of any length (BigInt) are slow. So x is kept as two halves of 32 bits. A pop,
 *
 *     x  ->  freq · (x >> 16) + c - start,        with c the lowest 16 bits of x,
 *
 * multiplies freq <= 2^16 by the two halves of x >> 16, one of 15 and one of 32 bits: products stay below 2^49.
 */

import { BitstreamError } from "./errors.js";

const PRECISION = 16; // bits: every row of the tables ends with 2^16
const PARTS = 512; // starting points of the search in each row
const SHIFT = PRECISION - 9; // from a count to its part
export const LOW = 2 ** 31; // the state's lower bound, and where it begins
const MAX_DIGITS = 9; // of an escape
export const WORD = 2 ** 32;

/** Rows of cumulative counts, one behind another; the last symbol of each is the escape. */
export class Tables {
  /**
   * @param {ArrayLike<number>} symbols of each row
   * @param {ArrayLike<number>} offset what symbol 0 of each row stands for
   * @param {ArrayLike<number>} widths counts that belong to each symbol, row by row
   */
  constructor(symbols, offset, widths) {
    const rows = symbols.length;
    this.rows = rows;
    this.symbols = Int32Array.from(symbols);
    this.offset = Int32Array.from(offset);
    /** Where each row begins in `cdf`. */
    this.begin = new Int32Array(rows);
    this.cdf = new Uint32Array(widths.length + rows);
    this.first = new Uint16Array(rows * PARTS);
    this.bits = new Float32Array(widths.length);
    for (let n = 0; n < widths.length; n++) this.bits[n] = PRECISION - Math.log2(widths[n]);
    let from = 0;
    for (let t = 0; t < rows; t++) {
      const begin = from + t;
      this.begin[t] = begin;
      for (let k = 0; k < symbols[t]; k++) this.cdf[begin + k + 1] = this.cdf[begin + k] + widths[from + k];
      if (this.cdf[begin + symbols[t]] !== 2 ** PRECISION) throw new RangeError(`table ${t} does not end with 2^16.`);
      for (let part = 0, k = 0; part < PARTS; part++) {
        while (this.cdf[begin + k + 1] <= part << SHIFT) k++;
        this.first[t * PARTS + part] = k;
      }
      from += symbols[t];
    }
  }
}

/** Decodes a stream in several pops, for tables that depend on the symbols before them. */
export class Decoder {
  /**
   * @param {Uint8Array} data
   * @param {Tables} tables
   */
  constructor(data, tables) {
    if (data.length < 8 || data.length % 4) {
      throw new BitstreamError(`the stream has ${data.length} bytes, not 8, 12, 16 ...: it is damaged.`);
    }
    this.tables = tables;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.words = Uint32Array.from({ length: data.length / 4 }, (_, n) => view.getUint32(4 * n, true));
    /** @type {number} */
    this.low = this.words[0];
    /** @type {number} */
    this.high = this.words[1];
    this.next = 2; // the word to read next
    if (this.high >= LOW || (this.high === 0 && this.low < LOW)) {
      throw new BitstreamError("the stream begins with a state that no encoder leaves: it is damaged.");
    }
  }

  /**
   * The next symbols, each with the table that its index names; `bits` gets what they cost, without escapes' digits.
   * @param {Uint8Array} indexes
   * @param {Int32Array} symbols as many
   * @param {Float32Array} bits as many
   */
  pop(indexes, symbols, bits) {
    const { cdf, begin, first, offset, symbols: count, bits: prices } = this.tables;
    let { low, high } = this;
    for (let n = 0; n < indexes.length; n++) {
      const t = indexes[n];
      const row = begin[t];
      const c = low & 0xffff;
      let k = first[t * PARTS + (c >>> SHIFT)];
      while (cdf[row + k + 1] <= c) k++;
      const start = cdf[row + k];
      const freq = cdf[row + k + 1] - start;
      const product = freq * (((high << 16) | (low >>> 16)) >>> 0) + (c - start);
      low = product >>> 0; // modulo 2^32
      high = freq * (high >>> 16) + (product - low) / WORD;
      if (high === 0 && low < LOW) {
        high = low;
        low = this.refill();
      }
      bits[n] = prices[row - t + k];
      if (k === count[t] - 1) {
        this.low = low;
        this.high = high;
        k = this.escape(k);
        ({ low, high } = this);
      }
      const value = k + offset[t];
      if (value < -LOW || value >= LOW) {
        throw new BitstreamError("the stream holds a value beyond 32 bits: it is damaged.");
      }
      symbols[n] = value;
    }
    this.low = low;
    this.high = high;
  }

  /** Check that the stream ends here. */
  finish() {
    if (this.low !== LOW || this.high !== 0 || this.next !== this.words.length) {
      throw new BitstreamError("the stream does not end with its symbols: it is damaged or of other tables.");
    }
  }

  /** The next word, which becomes the state's lower half. */
  refill() {
    if (this.next === this.words.length) {
      throw new BitstreamError("the stream ends before its symbols do: it was cut short or damaged.");
    }
    return this.words[this.next++];
  }

  /**
   * A value that its table does not list, minus the offset. listed: how many symbols the table lists.
   * @param {number} listed
   */
  escape(listed) {
    const digits = this.nibble();
    if (digits > MAX_DIGITS) throw new BitstreamError("the stream holds a value beyond 32 bits: it is damaged.");
    let r = 0;
    for (let n = 0; n < digits; n++) r += this.nibble() * 16 ** n;
    return r % 2 ? -(r - 1) / 2 - 1 : listed + r / 2;
  }

  /** A symbol that owns 1 of 2^4 counts. */
  nibble() {
    const nibble = this.low & 15;
    this.low = ((this.high << 28) | (this.low >>> 4)) >>> 0;
    this.high >>>= 4;
    if (this.high === 0 && this.low < LOW) {
      this.high = this.low;
      this.low = this.refill();
    }
    return nibble;
  }
}
