/**
 * The page's side of the worker. One picture is decoded or encoded at a time: a new one ends the work on the one
 * before, together with its worker, which cannot hear anything while it computes.
 *
 * @typedef {{width: number, height: number, rgba: Uint8ClampedArray}} Picture
 * @typedef {{name: string, bytes: number}} Section
 * @typedef {{width: number, height: number, values: Float32Array}} Bits
 * @typedef {{container: number, prior: number, entropy: number, synthesis: number, total: number}} Seconds
 * @typedef {Picture & {quality: number, parts: Int32Array[], sections: Section[], bits: Bits, seconds: Seconds}} Result
 * @typedef {{onLoading: (fraction: number) => void, onLoaded: () => void,
 *            onPart: (n: number, of: number, picture: Picture) => void}} Listener
 * @typedef {{onLoading: (fraction: number) => void, onLoaded: () => void,
 *            onCoded: (n: number, of: number) => void}} MakingListener
 * @typedef {import("./worker.js").Message} Message
 */

/** Why there is no picture: the file is damaged, or too large a picture, or the codec cannot be had. */
export class Failure extends Error {
  /** @param {"file" | "size" | "decoder"} because @param {string} sentence */
  constructor(because, sentence) {
    super(sentence);
    this.because = because;
  }
}

/** Throws (its promises are rejected with) a Failure. The promise of what something else replaced stays open. */
export class Codec {
  /** @type {Worker | null} */
  #worker = null;
  #busy = false;

  /**
   * @param {Uint8Array} bytes which are handed over
   * @param {Listener} listener
   * @returns {Promise<{result: Result, fault: string | null}>} fault: why the picture has less detail than it had
   */
  decode(bytes, listener) {
    return this.#ask(bytes, [bytes.buffer], listener, (message, done) => {
      if (message.kind === "part") listener.onPart(message.n, message.of, message.picture);
      else if (message.kind === "decoded") done(message);
    });
  }

  /**
   * @param {Picture} photo
   * @param {number} quality
   * @param {MakingListener} listener
   * @returns {Promise<{file: Uint8Array, seconds: number}>}
   */
  encode(photo, quality, listener) {
    return this.#ask({ photo, quality }, [], listener, (message, done) => {
      if (message.kind === "coded") listener.onCoded(message.n, message.of);
      else if (message.kind === "encoded") done(message);
    });
  }

  /**
   * @template T
   * @param {import("./worker.js").Task} task
   * @param {Transferable[]} handedOver
   * @param {{onLoading: (fraction: number) => void, onLoaded: () => void}} listener
   * @param {(message: Message, done: (answer: T) => void) => void} hear
   * @returns {Promise<T>}
   */
  #ask(task, handedOver, listener, hear) {
    this.stop();
    const worker = (this.#worker ??= new Worker(new URL("worker.js", import.meta.url), { type: "module" }));
    this.#busy = true;
    return new Promise((resolve, reject) => {
      /** @param {T} answer */
      const done = (answer) => {
        this.#busy = false;
        resolve(answer);
      };
      /** @param {Failure} failure */
      const fail = (failure) => {
        if (failure.because === "file") this.#busy = false;
        else this.stop(); // with the worker: who knows what state it is in
        reject(failure);
      };
      worker.onmessage = (/** @type {MessageEvent<Message>} */ { data }) => {
        if (data.kind === "loading") listener.onLoading(data.fraction);
        else if (data.kind === "loaded") listener.onLoaded();
        else if (data.kind === "failed") fail(new Failure(data.because, data.sentence));
        else hear(data, done);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        fail(new Failure("decoder", event.message || "its program could not be fetched or started."));
      };
      worker.postMessage(task, handedOver);
    });
  }

  /** End the work in hand, if any. The next gets a new worker, which finds the codec in the browser's cache. */
  stop() {
    if (!this.#busy) return;
    this.#worker?.terminate();
    this.#worker = null;
    this.#busy = false;
  }
}
