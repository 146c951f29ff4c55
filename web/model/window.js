/* Which parts of a long list are elements, and how high what is left out is. Pure. */

/**
 * The parts between two heights and those that stay, each by its place; gaps for all others.
 * @param {number[]} heights Of all parts.
 * @param {number} top
 * @param {number} bottom
 * @param {(at: number) => boolean} stays True for a part that is shown wherever it is.
 * @returns {{at: number, gap: number}[]} `at` is -1 where a gap of that height is.
 */
export function inWindow(heights, top, bottom, stays) {
  /** @type {{at: number, gap: number}[]} */
  const found = [];
  let [above, gap] = [0, 0];
  const close = () => {
    if (gap) found.push({ at: -1, gap });
    gap = 0;
  };
  heights.forEach((height, at) => {
    const seen = above + height > top && above < bottom;
    above += height;
    if (!seen && !stays(at)) {
      gap += height;
      return;
    }
    close();
    found.push({ at, gap: 0 });
  });
  close();
  return found;
}
