/**
 * The page's side of the worker. One file is decoded at a time: a new one ends the work on the one before, together
 * with its worker, which cannot hear anything while it computes.
 *
 * @typedef {{width: number, height: number, rgba: Uint8ClampedArray}} Picture
 * @typedef {{name: string, bytes: number}} Section
 * @typedef {{width: number, height: number, values: Float32Array}} Bits
 * @typedef {{container: number, prior: number, entropy: number, synthesis: number, total: number}} Seconds
 * @typedef {Picture & {quality: number, parts: Int32Array[], sections: Section[], bits: Bits, seconds: Seconds}} Result
 * @typedef {{onLoading: (fraction: number) => void, onLoaded: () => void,
 *            onPart: (n: number, of: number, picture: Picture) => void}} Listener
 */

/** Why there is no picture: the file is damaged, or too large a picture, or the decoder cannot be had. */
export class Failure extends Error {
  /** @param {"file" | "size" | "decoder"} because @param {string} sentence */
  constructor(because, sentence) {
    super(sentence);
    this.because = because;
  }
}

export class Decoding {
  /** @type {Worker | null} */
  #worker = null;
  #busy = false;

  /**
   * Throws (the promise is rejected with) a Failure. The promise of a file that another one replaced stays open.
   * @param {Uint8Array} bytes which are handed over
   * @param {Listener} listener
   * @returns {Promise<{result: Result, fault: string | null}>} fault: why the picture has less detail than it had
   */
  decode(bytes, listener) {
    this.stop();
    const worker = (this.#worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" }));
    this.#busy = true;
    return new Promise((resolve, reject) => {
      /** @param {Failure} failure */
      const fail = (failure) => {
        if (failure.because === "file") this.#busy = false;
        else this.stop(); // with the worker: who knows what state it is in
        reject(failure);
      };
      worker.onmessage = (/** @type {MessageEvent<import("./worker.js").Message>} */ { data }) => {
        if (data.kind === "loading") listener.onLoading(data.fraction);
        else if (data.kind === "loaded") listener.onLoaded();
        else if (data.kind === "part") listener.onPart(data.n, data.of, data.picture);
        else if (data.kind === "failed") fail(new Failure(data.because, data.sentence));
        else {
          this.#busy = false;
          resolve(data);
        }
      };
      worker.onerror = (event) => {
        event.preventDefault();
        fail(new Failure("decoder", event.message || "its program could not be fetched or started."));
      };
      worker.postMessage(bytes, [bytes.buffer]);
    });
  }

  /** End the work in hand, if any. The next file gets a new worker, which finds the decoder in the browser's cache. */
  stop() {
    if (!this.#busy) return;
    this.#worker?.terminate();
    this.#worker = null;
    this.#busy = false;
  }
}
