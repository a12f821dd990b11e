/** Files from this site, with progress by bytes. */

/**
 * The bytes of a file.
 *
 * size: how many bytes are expected, for the progress. Throws an Error with a sentence where it cannot be had.
 * @param {string | URL} address
 * @param {{size?: number, onProgress?: (fraction: number) => void, signal?: AbortSignal}} [options]
 * @returns {Promise<Uint8Array>}
 */
export async function fetchBytes(address, { size, onProgress = () => {}, signal } = {}) {
  const response = await request(address, signal);
  if (!size || !response.body) return new Uint8Array(await response.arrayBuffer());
  const pieces = [];
  let received = 0;
  const reader = response.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    pieces.push(read.value);
    received += read.value.length;
    onProgress(Math.min(1, received / size));
  }
  const whole = new Uint8Array(received);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/**
 * @param {string | URL} address
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export async function request(address, signal) {
  let response;
  try {
    response = await fetch(address, { signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Error(`${nameOf(address)} could not be fetched: is there a connection?`);
  }
  if (!response.ok) throw new Error(`${nameOf(address)} could not be fetched: the server says ${response.status}.`);
  return response;
}

/** @param {string | URL} address */
function nameOf(address) {
  return String(address).replace(/.*\//, "");
}
