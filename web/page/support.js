/** What the decoder needs of a browser. */

// A module with one function that makes a vector, `i8x16.splat(i32.const 0)`: only where there is SIMD is it valid.
const WITH_SIMD = Uint8Array.of(
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, // "\0asm", version 1
  1, 5, 1, 0x60, 0, 1, 0x7b, // its type: () -> v128
  3, 2, 1, 0,
  10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x0f, 0x0b,
);

/** What this browser lacks, in words; null if it lacks nothing. @returns {string | null} */
export function missing() {
  if (typeof WebAssembly !== "object") return "WebAssembly";
  if (!WebAssembly.validate(WITH_SIMD)) return "WebAssembly's vector instructions (SIMD)";
  if (!hasModuleWorkers()) return "workers that are JavaScript modules";
  return null;
}

/** A browser that knows of module workers asks which type is wanted. */
function hasModuleWorkers() {
  let asked = false;
  const options = {
    /** @returns {WorkerType} */
    get type() {
      asked = true;
      return "module";
    },
  };
  const address = URL.createObjectURL(new Blob([""], { type: "text/javascript" }));
  try {
    new Worker(address, options).terminate();
  } catch {
    return false;
  } finally {
    URL.revokeObjectURL(address);
  }
  return asked;
}
