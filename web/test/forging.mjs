/**
 * Random numbers that come again: a linear congruential generator (Numerical Recipes' constants).
 * @param {number} seed
 * @returns {(below: number) => number} a whole number from 0 on
 */
export function generator(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
