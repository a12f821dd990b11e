/**
 * Encodes pictures as `lic encode --effort 0` does it, to files that every decoder of the same checkpoint reads.
 *
 *     picture ─ analysis.js ─ coefficients ─ choosing.js ⇄ ../decoder/passes.js ─ symbols ─┐
 *                                             bytes ─ container.js ─ rans.js ─ counts.js ──┘
 *
 * The order of passes and the networks are the decoder's own: so what the encoder believes the decoder to know, it
 * knows. rANS works from the last symbol to the first; so all symbols wait for the end.
 */

import { joined, sizeFault } from "../decoder/container.js";
import { checkPixels } from "../decoder/limits.js";
import { Scan } from "../decoder/passes.js";
import { isQuality } from "../decoder/quality.js";
import { shifted, toByte } from "../decoder/table_offsets.js";
import { analyse } from "./analysis.js";
import { chooser } from "./choosing.js";
import { pack } from "./container.js";
import { Counts } from "./counts.js";
import { Encoder as RansEncoder } from "./rans.js";

/**
 * @typedef {import("./analysis.js").Picture} Picture
 * @typedef {import("./choosing.js").Chosen} Chosen
 * @typedef {{analysis: number, prior: number, choice: number, entropy: number, total: number}} Seconds
 */

const REQUIRED = 1; // strings that a decoder needs: the low-pass's

/**
 * The bytes of a .lic file.
 *
 * onPart: called after each part, with the latents that a decoder will find, in units of 1/256 of a step.
 * Throws RangeError for a picture that is too large, and for qualities that there are not.
 * @param {import("../decoder/decoder.js").Decoder} decoder whose weights and tables are taken
 * @param {Picture} picture its alpha is not looked at
 * @param {number} quality a whole number from 1 to 100
 * @param {(n: number, of: number, y: Int32Array) => void} [onPart]
 * @returns {Promise<{file: Uint8Array, seconds: Seconds}>}
 */
export async function encode({ model, tables }, picture, quality, onPart = () => {}) {
  const { width, height } = picture;
  const { codec, fingerprint, levels } = model.description;
  if (!Number.isInteger(quality) || !isQuality(quality)) {
    throw new RangeError(`a quality is a whole number from 1 to 100, not ${quality}.`);
  }
  const fault = sizeFault(width, height);
  if (fault) throw new RangeError(fault);
  checkPixels(width, height);

  const begin = performance.now();
  const coefficients = analyse(picture, quality, levels);
  const analysed = performance.now();
  /** @type {Chosen[][]} of each part */
  const passes = coefficients.map(() => []);
  const choose = chooser(coefficients, (pass) => passes[pass.part].push(pass));
  const scan = new Scan(model, choose, { width, height, quality });
  let n = 0;
  for await (const { y } of scan.parts(levels + 1)) onPart(++n, levels + 1, y);
  const scanned = performance.now();
  const strings = coded(passes, tables);
  const file = pack({ width, height, quality, fingerprint, codec, required: REQUIRED }, strings);
  const end = performance.now();
  const seconds = {
    analysis: (analysed - begin) / 1000,
    prior: (scanned - analysed) / 1000 - scan.entropySeconds,
    choice: scan.entropySeconds,
    entropy: (end - scanned) / 1000,
    total: (end - begin) / 1000,
  };
  return { file, seconds };
}

/**
 * The string of each part: a byte for the offsets of its tables, and its piece of one stream.
 * @param {Chosen[][]} passes
 * @param {import("../decoder/rans.js").Tables} cdfs of all tables
 */
function coded(passes, cdfs) {
  const encoder = new RansEncoder(cdfs);
  const [behind, bytes] = [[0], /** @type {number[]} */ ([])]; // from the last part to the first
  for (const each of [...passes].reverse()) {
    const counts = { grey: new Counts(), colours: new Counts() };
    for (const { colours, symbols, tables } of each) counts[colours ? "colours" : "grey"].add(symbols, tables);
    const offsets = { grey: counts.grey.best(), colours: counts.colours.best() };
    for (const { colours, symbols, tables } of [...each].reverse()) {
      encoder.push(symbols, shifted(tables, colours ? offsets.colours : offsets.grey));
    }
    behind.push(encoder.size);
    bytes.push(toByte(offsets));
  }
  const stream = encoder.finish();
  const ends = behind.map((size) => stream.length - size).reverse(); // the first is 8: the state comes first
  return bytes.reverse().map((byte, part) => {
    const piece = stream.subarray(part ? ends[part] : 0, ends[part + 1]);
    return joined([Uint8Array.of(byte), piece]);
  });
}
