/**
 * SentencePiece's compiled character map (`precompiled_charsmap`): the longest stretch of text that has an entry is
 * rewritten, the rest stays. The tokenizer library takes NFKC in its place, whatever the map says; this reads the map.
 * Does not compile maps, and does not collapse spaces (those are steps of their own in tokenizer.json).
 *
 * Layout: length of a trie in bytes, the trie, then the replacements, each ended by a zero byte. The trie is a double
 * array (Aoe 1989) in the units of Yata's darts-clone: label, offset to the children, and whether a value is among them.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Throws Error where the map is cut off. */
export function createCharsmap(base64: string): (text: string) => string {
  const bytes = Buffer.from(base64, 'base64');
  const trieLength = bytes.length < 4 ? 0 : bytes.readUInt32LE(0);
  if (trieLength === 0 || trieLength % 4 !== 0 || trieLength > bytes.length - 4)
    throw new Error('precompiled_charsmap is cut off or is something else');
  const trie = Uint32Array.from({ length: trieLength / 4 }, (_, i) => bytes.readUInt32LE(4 + 4 * i));
  const replacements = bytes.subarray(4 + trieLength);
  const replacement = (at: number): string => {
    const end = replacements.indexOf(0, at);
    return decoder.decode(replacements.subarray(at, end < 0 ? undefined : end));
  };
  return (text) => {
    const input = encoder.encode(text);
    let output = '';
    let copied = 0;
    for (let at = 0; at < input.length; ) {
      const match = longestMatch(trie, input, at);
      if (match === undefined) {
        at += 1;
        continue;
      }
      output += decoder.decode(input.subarray(copied, at)) + replacement(match.value);
      at += match.length;
      copied = at;
    }
    return output + decoder.decode(input.subarray(copied));
  };
}

function longestMatch(
  trie: Uint32Array,
  input: Uint8Array,
  start: number,
): { readonly length: number; readonly value: number } | undefined {
  let match: { length: number; value: number } | undefined;
  let position = childrenOf(trie[0]!);
  for (let at = start; at < input.length; at++) {
    const byte = input[at]!;
    // Zero is the label of values.
    if (byte === 0) return match;
    position ^= byte;
    const unit = trie[position];
    if (unit === undefined || labelOf(unit) !== byte) return match;
    position ^= childrenOf(unit);
    if (hasValue(unit)) match = { length: at + 1 - start, value: (trie[position] ?? 0) & 0x7fffffff };
  }
  return match;
}

/** Bit 31 marks a value; it belongs to the label, so that a value is never taken for a node. */
const labelOf = (unit: number): number => (unit & 0x800000ff) >>> 0;
const hasValue = (unit: number): boolean => ((unit >>> 8) & 1) === 1;
/** To be exclusive-or'd with a node's position. Bit 9: the offset counts 256 at a time. */
const childrenOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
