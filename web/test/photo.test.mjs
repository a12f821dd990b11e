/** What is dropped on the page: a picture to encode, or a file to decode. */

import assert from "node:assert/strict";
import test from "node:test";

import { isPhoto } from "../page/photo.js";

test("a type says what it is", () => {
  assert.ok(isPhoto({ type: "image/png", name: "no ending" }));
  assert.ok(!isPhoto({ type: "text/plain", name: "text.png" }));
});

test("without a type, its name does", () => {
  for (const name of ["IMG_1.HEIC", "a.b.heif", "x.jxl", "y.tif", "z.JPEG"]) assert.ok(isPhoto({ type: "", name }), name);
  for (const name of ["a.lic", "heic", "a.heic.lic", ""]) assert.ok(!isPhoto({ type: "", name }), name);
});
