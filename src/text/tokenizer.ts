/**
 * Text to token ids and back, from the tokenizer.json and tokenizer_config.json of a Hugging Face directory, or what
 * older folders have in their place (tokenizer-files.ts), through `@huggingface/tokenizers`; and token ids to text as
 * they come (`StreamDecoder`).
 *
 * Departures from that library, all towards what the Rust `tokenizers` does: `Digits` splits at every Unicode number,
 * not only at 0–9, and `ByteLevel` takes Unicode's white space, not JavaScript's; a unigram model falls back to bytes,
 * a character map is read, not taken to be NFKC, and U+FEFF out of bytes stays; spaces before punctuation are never
 * "cleaned up" in decoding, since what a model said is what it said; an empty list of ids decodes to nothing.
 * Does not build or train vocabularies, does not truncate or pad, knows nothing of chat turns (chat-template.ts).
 */
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { DataError } from '../base/errors.ts';
import { isObject } from '../base/rows.ts';
import { createCharsmap } from './charsmap.ts';
import { readTokenizerFiles } from './tokenizer-files.ts';
import { type JsonObject, tokenText } from './tokenizer-json.ts';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out by `skipSpecialTokens`. */
  readonly special: boolean;
}

export class Tokenizer {
  /** One more than the largest id. The model's embedding may have more rows. */
  readonly vocabSize: number;
  /** Tokens that are matched whole in text, in order of id. */
  readonly addedTokens: readonly AddedToken[];
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  readonly padToken: string | undefined;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  /** Whether `addSpecialTokens` puts the bos token in front. */
  readonly addsBos: boolean;
  readonly #library: LibraryTokenizer;
  /** Ids of the 256 bytes, where the library leaves falling back to them to us. */
  readonly #byteIds: readonly number[] | undefined;

  /** `files` names the parsed JSON in messages. Throws DataError where it is not what a tokenizer is made of. */
  constructor(
    tokenizerJson: unknown,
    tokenizerConfig: unknown,
    files: { readonly tokenizer: string; readonly config: string } = {
      tokenizer: 'tokenizer.json',
      config: 'tokenizer_config.json',
    },
  ) {
    const definition = asObject(tokenizerJson, files.tokenizer);
    const config = asObject(tokenizerConfig, files.config);
    try {
      this.#library = new LibraryTokenizer(asRust(definition), config);
      mendSteps(this.#library.normalizer);
      mendSteps(this.#library.decoder);
      this.#byteIds = unigramBytes(definition, this.#library);
    } catch (error) {
      throw new DataError(files.tokenizer, { message: `expected a tokenizer: ${(error as Error).message}` });
    }
    this.addedTokens = [...this.#library.get_added_tokens_decoder().values()]
      .map(({ id, content, special }) => ({ id, content, special: special ?? false }))
      .sort((a, b) => a.id - b.id);
    let largest = -1;
    for (const id of this.#library.get_vocab().values()) if (id > largest) largest = id;
    this.vocabSize = largest + 1;
    this.bosToken = tokenText(config, 'bos_token', files.config);
    this.eosToken = tokenText(config, 'eos_token', files.config);
    this.padToken = tokenText(config, 'pad_token', files.config);
    this.bosId = this.#knownId(this.bosToken, 'bos_token', files.config);
    this.eosId = this.#knownId(this.eosToken, 'eos_token', files.config);
    this.padId = this.#knownId(this.padToken, 'pad_token', files.config);
    this.addsBos = this.bosId !== undefined && this.encode('', { addSpecialTokens: true })[0] === this.bosId;
  }

  /** Added tokens written out in `text` become their ids, as everywhere in Hugging Face. */
  encode(text: string, options: { readonly addSpecialTokens?: boolean } = {}): number[] {
    const addsSpecial = options.addSpecialTokens ?? false;
    const encoding: { ids: number[]; tokens: string[] } = this.#library.encode(text, {
      add_special_tokens: addsSpecial,
    });
    const byteIds = this.#byteIds;
    if (byteIds === undefined) return encoding.ids;
    return encoding.ids.flatMap((id, i) => {
      const token = encoding.tokens[i]!;
      return this.tokenId(token) === undefined ? Array.from(Buffer.from(token), (byte) => byteIds[byte]!) : [id];
    });
  }

  /** Bytes that are not UTF-8 become U+FFFD; an id that no token has (a padding row of the embedding), nothing. */
  decode(ids: readonly number[], options: { readonly skipSpecialTokens?: boolean } = {}): string {
    const known = ids.filter((id) => this.#library.id_to_token(id) !== undefined);
    if (known.length === 0) return '';
    return this.#library.decode(known, {
      skip_special_tokens: options.skipSpecialTokens ?? false,
      clean_up_tokenization_spaces: false,
    });
  }

  tokenId(token: string): number | undefined {
    return this.#library.token_to_id(token);
  }

  #knownId(token: string | undefined, key: string, file: string): number | undefined {
    if (token === undefined) return undefined;
    const id = this.tokenId(token);
    if (id === undefined)
      throw new DataError(file, { path: key, message: `the vocabulary has no token ${JSON.stringify(token)}` });
    return id;
  }
}

/** Throws ConfigError where a file is missing, DataError where one is broken. */
export function loadTokenizer(folder: string): Tokenizer {
  const { tokenizerJson, tokenizerConfig, files } = readTokenizerFiles(folder);
  return new Tokenizer(tokenizerJson, tokenizerConfig, files);
}

/**
 * Text from token ids as they come. A token may end inside a character: what is not yet whole is held back until it
 * is, or until `flush`. The pieces joined are `decode` of all ids.
 */
export class StreamDecoder {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>;
  readonly #options: { readonly skipSpecialTokens: boolean };
  /**
   * Tokens whose text is out, then tokens held back. The former are kept because some decoders treat the first token
   * of a text differently (SentencePiece drops its leading space): text is what is new against theirs.
   */
  #window: number[] = [];
  #numOut = 0;

  constructor(tokenizer: Pick<Tokenizer, 'decode'>, options: { readonly skipSpecialTokens?: boolean } = {}) {
    this.#tokenizer = tokenizer;
    this.#options = { skipSpecialTokens: options.skipSpecialTokens ?? true };
  }

  /** The text that this token completes; often one word, sometimes nothing. */
  push(id: number): string {
    this.#window.push(id);
    const text = this.#held();
    // A model may also say U+FFFD itself: then it comes out with the next token.
    return text === '' || text.endsWith('\uFFFD') ? '' : this.#letOut(text);
  }

  /** What was held back. After it the decoder begins a new text. */
  flush(): string {
    const text = this.#held();
    this.#window = [];
    this.#numOut = 0;
    return text;
  }

  #held(): string {
    const out = this.#tokenizer.decode(this.#window.slice(0, this.#numOut), this.#options);
    return this.#tokenizer.decode(this.#window, this.#options).slice(out.length);
  }

  #letOut(text: string): string {
    this.#window = this.#window.slice(this.#numOut);
    this.#numOut = this.#window.length;
    return text;
  }
}

function asObject(value: unknown, file: string): JsonObject {
  if (isObject(value)) return value;
  throw new DataError(file, { message: 'expected a JSON object' });
}

/** GPT-2's splitting rule, which `ByteLevel` implies with `use_regex` (Radford et al. 2019, encoder.py). */
const byteLevelRule = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const split = (regex: string): JsonObject => ({
  type: 'Split',
  pattern: { Regex: regex },
  behavior: 'Isolated',
  invert: false,
});

/** Spells out the two pre-tokenizers that the library does by JavaScript's character classes. */
function asRust(definition: JsonObject): JsonObject {
  const fields = { normalizer: null, post_processor: null, decoder: null, added_tokens: [], ...definition };
  return {
    ...fields,
    pre_tokenizer: splitAtSpaces(spellOut(definition['pre_tokenizer'] ?? null), definition['model']),
  };
}

/**
 * SentencePiece's BPE merges over a whole text. Where no merge puts ▁ behind anything else, words are merged alike by
 * themselves: then the library finds most of them in its cache.
 */
function splitAtSpaces(step: unknown, model: unknown): unknown {
  const isMetaspace = isObject(step) && step['type'] === 'Metaspace';
  if (!(step === null || isMetaspace) || !isObject(model) || !Array.isArray(model['merges'])) return step;
  if (model['ignore_merges'] === true) return step;
  const merges = model['merges'] as (string | readonly string[])[];
  const joins = (merge: string | readonly string[]) =>
    typeof merge === 'string' ? merge.replace(' ', '') : merge.join('');
  if (merges.some((merge) => /[^▁]▁/.test(joins(merge)))) return step;
  const words = split('▁*[^▁]+');
  return step === null ? words : { type: 'Sequence', pretokenizers: [step, words] };
}

function spellOut(step: unknown): unknown {
  if (!isObject(step)) return step;
  if (step['type'] === 'Sequence' && Array.isArray(step['pretokenizers']))
    return { ...step, pretokenizers: step['pretokenizers'].map(spellOut) };
  if (step['type'] === 'Digits') return split(step['individual_digits'] === true ? '\\p{N}' : '\\p{N}+');
  // A prefix space comes before the rule is applied, so that form stays as it is.
  if (step['type'] === 'ByteLevel' && step['use_regex'] !== false && step['add_prefix_space'] !== true)
    return { type: 'Sequence', pretokenizers: [split(byteLevelRule), { ...step, use_regex: false }] };
  return step;
}

/** A normalizer or decoder of the library, whose own types do not resolve here. */
interface LibraryStep {
  readonly config: { readonly type?: string };
  readonly normalizers?: readonly (LibraryStep | null)[];
  readonly decoders?: readonly (LibraryStep | null)[];
  readonly charsmap?: string | null;
  normalize?: (text: string) => string;
  text_decoder?: InstanceType<typeof TextDecoder>;
}

/** What the library's own steps do otherwise, and a definition cannot say. */
function mendSteps(step: LibraryStep | null): void {
  for (const inner of step?.normalizers ?? step?.decoders ?? []) mendSteps(inner);
  if (step?.config.type === 'Precompiled' && step.charsmap) step.normalize = createCharsmap(step.charsmap);
  if (step?.config.type === 'ByteFallback') step.text_decoder = new TextDecoder('utf-8', { ignoreBOM: true });
}

function unigramBytes(definition: JsonObject, library: LibraryTokenizer): number[] | undefined {
  const model = definition['model'];
  if (!isObject(model) || model['type'] !== 'Unigram' || model['byte_fallback'] !== true) return undefined;
  return Array.from({ length: 256 }, (_, byte) => {
    const token = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    const id = library.token_to_id(token);
    if (id === undefined) throw new Error(`the model falls back to bytes, and has no ${token}`);
    return id;
  });
}
