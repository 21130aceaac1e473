/**
 * Texts shown to a model as material, each between marks with a code made from all of them: none can break out of its
 * place, for no text contains its own code. That what stands there is not to be obeyed, the prompt around it says.
 */
import { sha256 } from '../base/hash.ts';

/** The texts in order, each with a line `<<< CODE` before it and a line `>>> CODE` behind it. */
export function frameTexts(texts: readonly string[]): string[] {
  const code = frameCode(texts);
  return texts.map((text) => `<<< ${code}\n${text}\n>>> ${code}`);
}

/** Made from the texts, so that asking again is the same request; lengthened until no text contains it. */
function frameCode(texts: readonly string[]): string {
  const hash = sha256(texts);
  let length = 8;
  while (length < hash.length && texts.some((text) => text.includes(hash.slice(0, length)))) length += 8;
  return hash.slice(0, length);
}
