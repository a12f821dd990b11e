import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { loadDecoder } from "../node_decoder.js";
import { model, unlessModel } from "./from_python.mjs";

test("in strips, latents are the same and pixels, too, within a level", unlessModel, async () => {
  const decoder = await loadDecoder(String(model));
  const file = new Uint8Array(await readFile(join(String(model), "self_test.lic")));
  const whole = await decoder.decode(file);
  decoder.model.strip = 1; // as many as there must be: eight rows a strip
  const inStrips = await decoder.decode(file);
  assert.deepEqual(inStrips.parts, whole.parts);
  const differences = inStrips.rgba.map((value, n) => Math.abs(value - whole.rgba[n]));
  assert.ok(Math.max(...differences) <= 1);
});
