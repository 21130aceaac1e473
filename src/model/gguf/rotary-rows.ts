/** The order of the rows of query and key projections, which llama.cpp changes in models of the Llama family. */
import { invariant } from '../../base/errors.ts';

/**
 * Rows of a query or key projection (or elements of its bias) from llama.cpp's order to Hugging Face's. Within a head
 * llama.cpp's row 2·i + j is Hugging Face's row j·(headDim / 2) + i, for i in 0 … headDim / 2 − 1 and j in 0, 1.
 */
export function undoRotaryPermutation(
  values: Float32Array,
  heads: { readonly numHeads: number; readonly headDim: number },
): Float32Array {
  const { numHeads, headDim } = heads;
  const columns = values.length / (numHeads * headDim);
  invariant(
    Number.isInteger(columns) && headDim % 2 === 0,
    `undoRotaryPermutation: ${values.length} values, ${numHeads} heads of ${headDim}`,
  );
  const ordered = new Float32Array(values.length);
  for (let head = 0; head < numHeads; head++) {
    for (let row = 0; row < headDim; row++) {
      const from = (head * headDim + row) * columns;
      const to = (head * headDim + (row % 2) * (headDim / 2) + (row >> 1)) * columns;
      ordered.set(values.subarray(from, from + columns), to);
    }
  }
  return ordered;
}
