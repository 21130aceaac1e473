/**
 * Tokens of a text as OpenAI's models have them, counted on this machine. What a chat puts around its messages is not in it:
 * only a server's own count of a few prompts tells that, and whether the encoding is the right one at all.
 */

export type Encoding = 'o200k_base' | 'cl100k_base';

/**
 * The encoding of a model by its name, as https://github.com/openai/tiktoken (tiktoken/model.py) lists them; for a newer
 * model the newest. undefined: it is none of OpenAI's.
 */
export function encodingOf(model: string): Encoding | undefined {
  const name = model.replace(/^(openai\/|ft:)+/, '');
  if (/^gpt-(3\.5|4(?![.o\d]))/.test(name)) return 'cl100k_base';
  return /^(chatgpt|gpt|o\d)-|^o\d$/.test(name) ? 'o200k_base' : undefined;
}

/** Reads the encoding's table, which takes a second: once a run. What looks like a special token is text. */
export async function loadTokenCounter(encoding: Encoding): Promise<(text: string) => number> {
  const { countTokens } =
    encoding === 'o200k_base'
      ? await import('gpt-tokenizer/encoding/o200k_base')
      : await import('gpt-tokenizer/encoding/cl100k_base');
  const asText = { disallowedSpecial: new Set<string>() };
  return (text) => countTokens(text, asText);
}
