/** Where in tokens lying side by side a next token is to be predicted, and which. */

/** Which positions predict a label, and which token each is to predict. */
export interface LabelPositions {
  readonly positions: readonly number[];
  readonly targets: readonly number[];
}

/** Positions count over documents lying side by side; the label at token i is predicted at i − 1. */
export function labelPositions(
  documents: readonly { readonly ids: readonly number[]; readonly labelMask: Uint8Array }[],
): LabelPositions {
  const positions: number[] = [];
  const targets: number[] = [];
  let start = 0;
  for (const { ids, labelMask } of documents) {
    for (let i = 1; i < ids.length; i++) {
      if (labelMask[i] !== 1) continue;
      positions.push(start + i - 1);
      targets.push(ids[i]!);
    }
    start += ids.length;
  }
  return { positions, targets };
}

/** The last position of each document, the documents lying side by side. */
export function lastPositions(documents: readonly { readonly ids: readonly number[] }[]): number[] {
  let end = 0;
  return documents.map(({ ids }) => {
    end += ids.length;
    return end - 1;
  });
}

/** Of a conversation's marked turns, only the last. */
export function lastAnswerOnly(mask: Uint8Array): Uint8Array {
  const last = mask.lastIndexOf(1);
  let first = last;
  while (first > 0 && mask[first - 1] === 1) first -= 1;
  return mask.map((flag, i) => (i >= first ? flag : 0));
}

/** Numbers of all documents' labels, one document after the other → those of each, which has so many. */
export function splitByDocument(values: Float64Array, counts: readonly number[]): Float64Array[] {
  let end = 0;
  return counts.map((count) => {
    end += count;
    return values.slice(end - count, end);
  });
}
