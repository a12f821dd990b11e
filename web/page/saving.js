/**
 * Let the browser save a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function keep(blob, name) {
  const address = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
