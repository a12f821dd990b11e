/**
 * Decodes the .lic files of the full codec, of `lic encode` and `tutorial_lib.codec`, to the very same latents.
 *
 *     bytes ─ container.js ─ strings ─ rans.js ⇄ passes.js ─ latents ─ synthesis.js ─ picture
 *                                                wavelet.js            wavelet.js
 *
 * Networks run in onnxruntime-web: those that choose tables with whole numbers below 2^24, which float32 represents
 * exactly, so that their results are the same on every machine.
 */

import { bitsMap } from "./bits.js";
import { crc32 } from "./checksums.js";
import { checkMadeBy, joined, unpack } from "./container.js";
import { BitstreamError, IncompleteFile } from "./errors.js";
import { checkPixels } from "./limits.js";
import { Model } from "./model.js";
import { Scan } from "./passes.js";
import { isQuality } from "./quality.js";
import { Decoder as RansDecoder, Tables } from "./rans.js";
import { reader } from "./symbols.js";
import { Synthesis } from "./synthesis.js";
import { takeOffsets } from "./table_offsets.js";

export { BitstreamError, IncompleteFile };

/**
 * @typedef {import("./synthesis.js").Picture} Picture
 * @typedef {{onPart?: (n: number, of: number, picture: Picture) => void, signal?: AbortSignal,
 *            slices?: number}} Options
 * @typedef {{container: number, prior: number, entropy: number, synthesis: number, total: number}} Seconds
 * @typedef {Picture & {quality: number, parts: Int32Array[], sections: {name: string, bytes: number}[],
 *            bits: {width: number, height: number, values: Float32Array}, seconds: Seconds}} Result
 * parts: latents as whole numbers, in units of 1/256 of a step.
 */

export class Decoder {
  /**
   * Use `Decoder.load`.
   * @param {Model} model
   */
  constructor(model) {
    this.model = model;
    const [symbols, offset, widths] = ["symbols", "offset", "widths"].map((name) => model.values(`tables.${name}`));
    this.tables = new Tables(symbols, offset, widths);
  }

  /**
   * Loads the exported codec, and decodes a small file whose latents are known: throws an Error if they are others,
   * as on a machine whose sums are not exact.
   * @param {import("./model.js").Ort} ort the onnxruntime-web module
   * @param {import("./model.js").Read} read gives a file of the exported folder
   * @param {(fraction: number) => void} [onProgress]
   */
  static async load(ort, read, onProgress = () => {}) {
    const decoder = new Decoder(await Model.load(ort, read, (fraction) => onProgress(0.9 * fraction)));
    await decoder.selfTest(new Uint8Array(await read("self_test.lic")));
    onProgress(1);
    return decoder;
  }

  /**
   * @param {Uint8Array} file
   */
  async selfTest(file) {
    let found;
    try {
      const { parts } = await this.decode(file);
      found = parts.map((part) => crc32(new Uint8Array(part.buffer)));
    } catch (error) {
      if (!(error instanceof BitstreamError)) throw error; // other tables read other symbols, and come to a bad end
    }
    if (found?.join() !== this.model.description.self_test.join()) {
      throw new Error("this browser's sums are not exact: files cannot be decoded here. Try another browser.");
    }
  }

  /**
   * The picture; of a file that was cut short, what its first parts give, with a sentence about what is wrong.
   * Throws what `decode` throws.
   * @param {Uint8Array} bytes
   * @param {Options} [options]
   * @returns {Promise<{result: Result, fault: string | null}>}
   */
  async open(bytes, options) {
    try {
      return { result: await this.decode(bytes, options), fault: null };
    } catch (error) {
      if (!(error instanceof IncompleteFile)) throw error;
      const { slices, message: fault } = error;
      if (slices === null || slices > this.model.description.levels) throw error;
      return { result: await this.decode(bytes, { ...options, slices }), fault };
    }
  }

  /**
   * slices: stop after so many, for a picture of less detail, which a file that was cut short may hold, too.
   * onPart: called after each part but the last, with the small picture that the parts so far give.
   * Throws BitstreamError for bytes that are damaged, or of another codec; RangeError for pictures that are too large,
   * and for slices that there are not; the signal's reason if it says stop.
   * @param {Uint8Array} bytes
   * @param {Options} [options]
   * @returns {Promise<Result>}
   */
  async decode(bytes, { onPart, signal, slices } = {}) {
    const { codec, fingerprint, levels } = this.model.description;
    const watch = new Watch();
    if (slices !== undefined && !(Number.isInteger(slices) && slices >= 0 && slices <= levels)) {
      throw new RangeError(`slices is ${slices}; this codec has 0 to ${levels} of them.`);
    }
    const { header, strings } = unpack(bytes, slices === undefined ? undefined : slices + 1);
    checkMadeBy(header, codec, fingerprint);
    const { width, height, quality, sections } = header;
    if (!isQuality(quality)) {
      throw new BitstreamError(`the file is damaged: it is of quality ${quality}, which this codec lacks.`);
    }
    if (slices === undefined && strings.length !== levels + 1) {
      const whole = `while a picture with all its slices takes ${levels + 1}`;
      throw new BitstreamError(`the file holds ${strings.length} string(s), ${whole}.`);
    }
    checkPixels(width, height);
    const pieces = strings.map(takeOffsets);
    const stream = new RansDecoder(joined(pieces.map(({ rest }) => rest)), this.tables);
    watch.lap("container");

    const offsets = pieces.map((piece) => piece.offsets);
    const scan = new Scan(this.model, reader(stream, offsets), header);
    const synthesis = new Synthesis(this.model, header);
    /** @type {Int32Array[]} */
    const parts = [];
    const maps = [];
    for await (const part of scan.parts(strings.length)) {
      watch.lap("prior");
      signal?.throwIfAborted();
      parts.push(part.y);
      maps.push({ height: part.height, width: part.width, bits: part.bits });
      await synthesis.add(part);
      if (onPart && parts.length <= levels) onPart(parts.length, levels + 1, synthesis.small());
      watch.lap("synthesis");
    }
    if (strings.length > levels) stream.finish();
    const picture = await synthesis.whole();
    const bits = bitsMap(maps, levels, height, width);
    watch.lap("synthesis");
    const sizes = sections.slice(0, strings.length).map(({ name, begin, end }) => ({ name, bytes: end - begin }));
    return {
      ...picture,
      quality,
      parts,
      sections: [{ name: "header", bytes: header.size }, ...sizes],
      bits,
      seconds: watch.seconds(scan.entropySeconds),
    };
  }
}

/** Where the time goes. */
class Watch {
  constructor() {
    this.begin = this.last = performance.now();
    this.spent = { container: 0, prior: 0, synthesis: 0 };
  }

  /** @param {"container" | "prior" | "synthesis"} stage that ends now */
  lap(stage) {
    const now = performance.now();
    this.spent[stage] += (now - this.last) / 1000;
    this.last = now;
  }

  /**
   * @param {number} entropy seconds that were counted as the prior's
   * @returns {Seconds}
   */
  seconds(entropy) {
    const { container, prior, synthesis } = this.spent;
    return { container, prior: prior - entropy, entropy, synthesis, total: (this.last - this.begin) / 1000 };
  }
}
