import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, test } from "node:test";

import * as ort from "onnxruntime-web/wasm";

import { Decoder } from "../decoder/decoder.js";
import { model, unlessModel } from "./from_python.mjs";

before(() => {
  ort.env.wasm.numThreads = 1;
});

/** @param {(name: string, data: Uint8Array) => Uint8Array} change what is read */
function loadedWith(change) {
  return Decoder.load(ort, async (name) => change(name, new Uint8Array(await readFile(join(String(model), name)))));
}

test("weights of another export are noticed", unlessModel, async () => {
  const flipped = (/** @type {Uint8Array} */ data) => data.map((byte, n) => (n === 999 ? byte ^ 1 : byte));
  const damaged = loadedWith((name, data) => (name === "weights.bin" ? flipped(data) : data));
  await assert.rejects(damaged, /weights\.bin is not the one/);
});

test("latents that are not the stored ones are noticed", unlessModel, async () => {
  const other = loadedWith((name, data) => {
    if (name !== "model.json") return data;
    const description = JSON.parse(new TextDecoder().decode(data));
    description.self_test[5] ^= 1;
    return new TextEncoder().encode(JSON.stringify(description));
  });
  await assert.rejects(other, /sums are not exact/);
});

test("a network whose sums come out otherwise is noticed", unlessModel, async () => {
  const networks = { create: ort.InferenceSession.create.bind(ort.InferenceSession) };
  const inexact = {
    ...ort,
    InferenceSession: {
      /** @param {Uint8Array} graph @param {object} options */
      create: async (graph, options) => {
        const session = await networks.create(graph, options);
        const run = session.run.bind(session);
        session.run = async (/** @type {any} */ feeds) => {
          const results = await run(feeds);
          const data = /** @type {Float32Array} */ (results.out.data);
          if (data.length > 1000) data[500] += 1; // one number, by one
          return results;
        };
        return session;
      },
    },
  };
  const read = (/** @type {string} */ name) => readFile(join(String(model), name));
  await assert.rejects(Decoder.load(/** @type {any} */ (inexact), read), /sums are not exact/);
});

test("progress grows from 0 to 1", unlessModel, async () => {
  /** @type {number[]} */
  const fractions = [];
  const read = (/** @type {string} */ name) => readFile(join(String(model), name));
  await Decoder.load(ort, read, (fraction) => fractions.push(fraction));
  assert.deepEqual(fractions, [...fractions].sort((a, b) => a - b));
  assert.equal(fractions.at(-1), 1);
});
