/** What is wrong with a file, in one sentence: the same sentences as the command's. */
export class BitstreamError extends Error {
  /** @param {string} sentence */
  constructor(sentence) {
    super(sentence);
    this.name = "BitstreamError";
  }
}

/** Only the first few strings of a file can be read. */
export class IncompleteFile extends BitstreamError {
  /**
   * @param {string} sentence
   * @param {number | null} slices how many slices are among the strings that can be read; null: no picture
   */
  constructor(sentence, slices) {
    super(sentence);
    this.name = "IncompleteFile";
    this.slices = slices;
  }
}
