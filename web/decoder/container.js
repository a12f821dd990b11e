/**
 * The .lic container: a picture's strings, and what a decoder must know before it can read them.
 *
 * This is `tutorial_lib/bitstream.py` once more, where the layout is described; errors have the same sentences.
 */

import { crc16, crc32 } from "./checksums.js";
import { BitstreamError, IncompleteFile } from "./errors.js";

export const MAGIC = [0x89, 0x4c, 0x49, 0x43];
export const VERSION = 3;
const MAX_PIXELS = 2 ** 27;
const LONGEST_HEADER = 4096;
const LONGEST_VARINT = 5;
export const FIXED = 21; // bytes up to and including the length of the codec's name

/**
 * Where a string lies in its file.
 * @typedef {{name: string, begin: number, end: number, checksum: number}} Section
 *
 * What a .lic file says about itself before its first string; size: bytes, the checksum included.
 * @typedef {{width: number, height: number, fingerprint: string, sections: Section[], codec: string,
 *            quality: number, required: number, size: number}} Header
 */

/**
 * The first strings of a file (undefined: all), once all that can be checked has been checked.
 * @param {Uint8Array} data
 * @param {number} [strings]
 * @returns {{header: Header, strings: Uint8Array[]}}
 */
export function unpack(data, strings) {
  const header = readHeader(data);
  const wanted = header.sections.slice(0, strings);
  wanted.forEach((section, whole) => {
    const fault = faultOf(section, data);
    if (fault) throw incomplete(header, data, whole, fault);
  });
  const end = fileSize(header);
  if (data.length > end && wanted.length === header.sections.length) {
    throw new BitstreamError(`the file was added to: it has ${number(data.length)} bytes, not ${number(end)}.`);
  }
  return { header, strings: wanted.map(({ begin, end }) => data.subarray(begin, end)) };
}

/**
 * What the file's header says; of the strings, none need be there.
 * @param {Uint8Array} data
 * @returns {Header}
 */
export function readHeader(data) {
  if (data.length === 0) throw new BitstreamError("the file is empty.");
  if (MAGIC.some((byte, n) => n < data.length && data[n] !== byte)) {
    throw new BitstreamError("this is no .lic file: it does not begin with the bytes 89 4C 49 43.");
  }
  if (data.length > 4 && data[4] !== VERSION) throw new BitstreamError(aboutVersion(data));
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const short = () => {
    const held = `its ${number(data.length)} bytes do not even hold a header`;
    return new BitstreamError(`the file was cut short or damaged: ${held}.`);
  };
  if (data.length < FIXED) throw short();
  const count = data[18];
  const required = data[19];
  let at = FIXED + data[20];
  const codec = String.fromCharCode(...data.subarray(FIXED, at));
  /** @type {number[]} */
  const lengths = [];
  /** @type {number[]} */
  const checksums = [];
  for (let n = 0; n < count; n++) {
    const [length, behind] = readVarint(data, at, short);
    if (behind + 2 > data.length) throw short();
    lengths.push(length);
    checksums.push(view.getUint16(behind, true));
    at = behind + 2;
  }
  if (at + 4 > data.length) throw short();
  if (crc32(data.subarray(0, at)) !== view.getUint32(at, true)) {
    throw new BitstreamError("the file is damaged: its header's checksum is wrong.");
  }
  const size = at + 4;
  let begin = size;
  const sections = lengths.map((length, n) => {
    const name = n < required ? `string ${n + 1}` : `slice ${n + 1 - required}`;
    const section = { name, begin, end: begin + length, checksum: checksums[n] };
    begin += length;
    return section;
  });
  const fingerprint = Array.from(data.subarray(10, 18), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  const header = { width, height, fingerprint, sections, codec, quality: data[5], required, size };
  checkFacts(header);
  return header;
}

/** @param {Header} header */
export function fileSize(header) {
  return header.sections[header.sections.length - 1].end;
}

/**
 * What is wrong with a string in this file: missing, cut short, damaged, or nothing.
 * @param {Section} section
 * @param {Uint8Array} data
 */
export function faultOf(section, data) {
  if (data.length < section.end) return data.length <= section.begin ? "missing" : "cut short";
  return crc16(data.subarray(section.begin, section.end)) === section.checksum ? null : "damaged";
}

/**
 * Throw BitstreamError unless it was made by this codec, with this decoder's fingerprint.
 * @param {Header} header
 * @param {string} codec
 * @param {string} fingerprint
 */
export function checkMadeBy(header, codec, fingerprint) {
  if (header.codec !== codec) {
    throw new BitstreamError(`the file was made by the codec called ${header.codec}, not by ${codec}.`);
  }
  if (header.fingerprint !== fingerprint) {
    throw new BitstreamError(
      `the file was made with another checkpoint (with the fingerprint ${header.fingerprint}, ` +
        `while this one's is ${fingerprint}).`,
    );
  }
}

/** @param {Uint8Array[]} pieces */
export function joined(pieces) {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * A number as Python's format(n, ",") writes it.
 * @param {number} n
 */
export function number(n) {
  return n.toLocaleString("en-US");
}

/**
 * What is wrong with a picture's size, if anything: a file cannot say it.
 * @param {number} width
 * @param {number} height
 */
export function sizeFault(width, height) {
  if (Math.min(width, height) >= 1 && Math.max(width, height) < 2 ** 16 && width * height <= MAX_PIXELS) return null;
  return (
    `a picture of ${number(width)} x ${number(height)} pixels does not fit in a .lic file, which allows 1 to ` +
    `65,535 pixels on each side and ${number(MAX_PIXELS)} altogether.`
  );
}

/** @param {Header} header */
function checkFacts({ width, height, sections, required, codec }) {
  const fault = sizeFault(width, height);
  if (fault) throw new BitstreamError(fault);
  if (sections.length < 1) {
    throw new BitstreamError(`a .lic file holds 1 to 255 strings, not ${sections.length}.`);
  }
  if (!(required >= 1 && required <= sections.length)) {
    throw new BitstreamError(`of ${sections.length} strings a decoder needs 1 to ${sections.length}, not ${required}.`);
  }
  if (!/^[A-Za-z0-9_.+-]{1,32}$/.test(codec)) {
    throw new BitstreamError(
      `a codec's name has 1 to 32 letters, digits or signs among _.+-, unlike ${quoted(codec)}.`,
    );
  }
}

/**
 * A Latin-1 string as Python's repr writes it.
 * @param {string} text
 */
function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const known = new Map([["\n", "\\n"], ["\r", "\\r"], ["\t", "\\t"], ["\\", "\\\\"], [quote, `\\${quote}`]]);
  const written = Array.from(text, (letter) => {
    const code = letter.charCodeAt(0);
    if (known.has(letter)) return known.get(letter);
    const printed = (code >= 32 && code < 127) || (code > 160 && code !== 173);
    return printed ? letter : `\\x${code.toString(16).padStart(2, "0")}`;
  });
  return quote + written.join("") + quote;
}

/**
 * @param {Header} header
 * @param {Uint8Array} data
 * @param {number} whole how many strings are whole
 * @param {string} fault of the next
 */
function incomplete(header, data, whole, fault) {
  const slices = whole >= header.required ? whole - header.required : null;
  if (fault === "damaged") {
    const name = header.sections[whole].name;
    return new IncompleteFile(`the file is damaged: the checksum of ${name} is wrong.`, slices);
  }
  return new IncompleteFile(
    `the file was cut short: ${number(data.length)} bytes are left of ${number(fileSize(header))}, ` +
      `and ${whole} whole string(s) of ${header.sections.length}.`,
    slices,
  );
}

/**
 * The sentence for a file of another version.
 * @param {Uint8Array} data
 */
function aboutVersion(data) {
  const version = data[4];
  if (version < VERSION) {
    return `the file is damaged, or of layout version ${version}, which only tutorial_lib 0.1 reads.`;
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const last = Math.min(data.length, LONGEST_HEADER) - 4;
  let crc = crc32(data.subarray(0, 5));
  for (let end = 5; end <= last; end++) {
    if (crc === view.getUint32(end, true)) {
      return `the file has version ${version}; this program reads ${VERSION}: get a newer program.`;
    }
    crc = crc32(data.subarray(end, end + 1), crc);
  }
  return "the file is damaged: its header's checksum is wrong.";
}

/**
 * The number, and where it ends.
 * @param {Uint8Array} data
 * @param {number} at
 * @param {() => Error} short what to throw where the data end first
 * @returns {[number, number]}
 */
function readVarint(data, at, short) {
  let value = 0;
  for (let n = 0; n < LONGEST_VARINT; n++) {
    if (at + n >= data.length) throw short();
    const byte = data[at + n];
    value += (byte & 127) * 128 ** n;
    if (byte < 128) {
      if (byte === 0 && n > 0) break;
      return [value, at + n + 1];
    }
  }
  throw new BitstreamError("the file is damaged: its header holds a length in no valid form.");
}
