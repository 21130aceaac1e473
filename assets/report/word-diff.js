// @ts-check
/**
 * What two texts have in common, word by word; Chinese and Japanese character by character. Heaviest common subsequence of the
 * pieces between their common ends; two texts too long for that are shown as wholly different there.
 */

/** @typedef {{ same: boolean, text: string }} Piece */

/** More cells of the table than this would make a page wait. */
const largestTable = 4e6;

/** Two shared spaces are not worth a shared word. @param {string} piece */
const weightOf = (piece) => (/^\s/.test(piece) ? 1 : 4);

/** @param {string} text @returns {string[]} */
function piecesOf(text) {
  return text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]|[\p{L}\p{N}_]+|\s+|./gsu) ?? [];
}

/**
 * Both texts in pieces that the other has too, or has not.
 * @param {string} left @param {string} right
 * @returns {{ left: Piece[], right: Piece[] }}
 */
// biome-ignore lint/correctness/noUnusedVariables: row-browser.js calls it in the page
function wordDiff(left, right) {
  const a = piecesOf(left);
  const b = piecesOf(right);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const inA = a.map((_, i) => i < start || i >= a.length - end);
  const inB = b.map((_, i) => i < start || i >= b.length - end);
  const [n, m] = [a.length - start - end, b.length - start - end];
  if (n > 0 && m > 0 && n * m <= largestTable) {
    // lengths[i][j]: of the heaviest common subsequence of a from piece i on and b from piece j on.
    const width = m + 1;
    const lengths = new Uint32Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i--) {
      for (let j = m - 1; j >= 0; j--) {
        lengths[i * width + j] =
          a[start + i] === b[start + j]
            ? lengths[(i + 1) * width + j + 1] + weightOf(a[start + i])
            : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
      }
    }
    let i = 0;
    let j = 0;
    while (i < n && j < m) {
      if (a[start + i] === b[start + j]) {
        inA[start + i++] = true;
        inB[start + j++] = true;
      } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i++;
      else j++;
    }
  }
  return { left: joined(a, inA), right: joined(b, inB) };
}

/** @param {string[]} pieces @param {boolean[]} same @returns {Piece[]} */
function joined(pieces, same) {
  /** @type {Piece[]} */
  const runs = [];
  pieces.forEach((text, i) => {
    const last = runs[runs.length - 1];
    if (last !== undefined && last.same === same[i]) last.text += text;
    else runs.push({ same: same[i], text });
  });
  return runs;
}
