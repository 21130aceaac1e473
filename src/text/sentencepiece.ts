/**
 * A SentencePiece tokenizer.model (LLaMA, Llama 2, Mistral, TinyLlama) as a Hugging Face tokenizer.json: what
 * transformers' LlamaConverter makes of it, so that ids are the same there and here.
 *
 * Departures from that converter, all towards what SentencePiece itself does and the model was trained with: whether a
 * prefix space is added and spaces collapsed is asked of the file, not taken for granted; a character map is kept;
 * merges come in order of score (of id where scores are equal), not of id; control and byte pieces are no merge's part.
 * Kept from it, where it differs from SentencePiece: special tokens written out in a text become their ids, each stretch
 * between them has a prefix space of its own (`legacy`); a byte's name in a text is that byte to a unigram model; and
 * unused pieces are used.
 * Does not convert word and character models, whitespace as suffix, and classes that number pieces in their own way.
 */
import { DataError } from '../base/errors.ts';
import { type Piece, readSentencePieceModel, type SentencePieceModel } from './sentencepiece-model.ts';
import {
  type AddedTokenJson,
  addedToken,
  addedTokens,
  aroundText,
  bpeModel,
  configBeside,
  type JsonObject,
  type TokenizerDescription,
} from './tokenizer-json.ts';

/** SentencePiece's sign for a space (U+2581). */
const space = '▁';

/** Their tokenizers shift the ids of the file, or take them from a second one. */
const renumberingClasses = [
  'BarthezTokenizer',
  'CamembertTokenizer',
  'ErnieMTokenizer',
  'LayoutXLMTokenizer',
  'M2M100Tokenizer',
  'MBartTokenizer',
  'MBart50Tokenizer',
  'MarianTokenizer',
  'NllbTokenizer',
  'PLBartTokenizer',
  'PegasusTokenizer',
  'SeamlessM4TTokenizer',
  'Speech2TextTokenizer',
  'XGLMTokenizer',
  'XLMRobertaTokenizer',
];

/**
 * `tokenizerConfig` is the content of tokenizer_config.json; what it lacks of special tokens and of which of them stand
 * around a text is added in the result. `files` names both in messages.
 * Throws DataError where the bytes are no SentencePiece model, or one that tokenizer.json cannot express.
 */
export function sentencePieceToTokenizer(
  bytes: Uint8Array,
  tokenizerConfig: JsonObject = {},
  files: { readonly model: string; readonly config: string } = {
    model: 'tokenizer.model',
    config: 'tokenizer_config.json',
  },
): TokenizerDescription {
  const model = readSentencePieceModel(bytes, files.model);
  refuseUnsupported(model, tokenizerConfig, files);
  const pieces = [...model.pieces, ...sentinels(tokenizerConfig)];
  const config = { ...defaultConfig(model, tokenizerConfig), ...tokenizerConfig };
  const vocab = new Map(pieces.map((piece, id) => [piece.text, id]));
  const source = { config, file: files.config };
  const added = addedTokens(vocab, ownAddedTokens(pieces), source);
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: added,
      ...describeSteps(model, config),
      post_processor: aroundText(added, source),
      model: describeModel(model, pieces, vocab),
    },
    tokenizerConfig: configBeside(added, source),
  };
}

const tokenizerClass = (config: JsonObject): string => String(config['tokenizer_class'] ?? '').replace(/Fast$/, '');

function refuseUnsupported(
  model: SentencePieceModel,
  config: JsonObject,
  files: { readonly model: string; readonly config: string },
): void {
  const refuse = (file: string, path: string, message: string): never => {
    throw new DataError(file, { path, message }, { hint: "take the model's tokenizer.json" });
  };
  if (model.algorithm === 'word' || model.algorithm === 'char')
    refuse(files.model, 'model_type', `${model.algorithm} models are not supported; supported: bpe, unigram`);
  if (model.treatWhitespaceAsSuffix)
    refuse(files.model, 'treat_whitespace_as_suffix', 'is not supported: only spaces before a word');
  if (!model.escapeWhitespaces) refuse(files.model, 'escape_whitespaces', 'false is not supported');
  const name = tokenizerClass(config);
  if (renumberingClasses.includes(name))
    refuse(files.config, 'tokenizer_class', `${name} numbers tokens otherwise than its tokenizer.model`);
}

/** T5's tokens for what is masked, behind the pieces, the last first. */
function sentinels(config: JsonObject): Piece[] {
  if (tokenizerClass(config) !== 'T5Tokenizer') return [];
  const count = typeof config['extra_ids'] === 'number' ? config['extra_ids'] : 100;
  return Array.from({ length: count }, (_, i) => ({ text: `<extra_id_${count - 1 - i}>`, score: 0, type: 'control' }));
}

/** What LlamaTokenizer and T5Tokenizer take for granted where tokenizer_config.json says nothing. */
function defaultConfig(model: SentencePieceModel, given: JsonObject): JsonObject {
  const control = (text: string): string | null =>
    model.pieces.some((piece) => piece.text === text && piece.type === 'control') ? text : null;
  const isT5 = tokenizerClass(given) === 'T5Tokenizer';
  const bos = control(model.bosPiece);
  const eos = control(model.eosPiece);
  return {
    clean_up_tokenization_spaces: false,
    bos_token: bos,
    eos_token: eos,
    unk_token: model.pieces.find((piece) => piece.type === 'unknown')?.text,
    pad_token: control(model.padPiece),
    add_bos_token: bos !== null && !isT5,
    add_eos_token: eos !== null && isT5,
  };
}

function ownAddedTokens(pieces: readonly Piece[]): AddedTokenJson[] {
  return pieces.flatMap(({ text, type }, id) =>
    type === 'control' || type === 'user-defined' ? [addedToken(id, text, type === 'control')] : [],
  );
}

const replace = (pattern: { readonly String: string } | { readonly Regex: string }, content: string) => ({
  type: 'Replace',
  pattern,
  content,
});
const sequence = (kind: 'normalizers' | 'decoders', steps: readonly object[]): JsonObject | null =>
  steps.length === 0 ? null : { type: 'Sequence', [kind]: steps };

/** Everything before and after the model: normalizer, pre_tokenizer, decoder. */
function describeSteps(model: SentencePieceModel, config: JsonObject): JsonObject {
  const isLegacy = config['legacy'] !== false;
  const setting = config['add_prefix_space'];
  const addsPrefix = typeof setting === 'boolean' ? setting : model.addDummyPrefix;
  const escaped = isLegacy ? space : ' ';
  const metaspace = {
    type: 'Metaspace',
    replacement: space,
    prepend_scheme: addsPrefix ? 'first' : 'never',
    split: false,
  };
  // A prefix space is one of those that are collapsed: after it, none is left at the beginning.
  const edges = isLegacy && addsPrefix ? `${escaped}+\\z` : `\\A${escaped}+|${escaped}+\\z`;
  return {
    normalizer: sequence('normalizers', [
      ...(model.charsmap.length > 0
        ? [{ type: 'Precompiled', precompiled_charsmap: Buffer.from(model.charsmap).toString('base64') }]
        : []),
      ...(isLegacy && addsPrefix ? [{ type: 'Prepend', prepend: space }] : []),
      ...(isLegacy ? [replace({ String: ' ' }, space)] : []),
      ...(model.removeExtraWhitespaces
        ? [replace({ Regex: `${escaped}{2,}` }, escaped), replace({ Regex: edges }, '')]
        : []),
    ]),
    pre_tokenizer: isLegacy ? null : metaspace,
    decoder: sequence('decoders', [
      replace({ String: space }, ' '),
      ...(model.byteFallback ? [{ type: 'ByteFallback' }] : []),
      { type: 'Fuse' },
      ...(addsPrefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
    ]),
  };
}

/** `vocab` has texts as the configuration writes them; `pieces` as the file does. */
function describeModel(
  model: SentencePieceModel,
  pieces: readonly Piece[],
  vocab: ReadonlyMap<string, number>,
): JsonObject {
  const texts = pieces.map((piece) => piece.text);
  for (const [text, id] of vocab) texts[id] = text;
  const unknown = pieces.findIndex((piece) => piece.type === 'unknown');
  if (model.algorithm === 'unigram') {
    return {
      type: 'Unigram',
      unk_id: unknown,
      vocab: pieces.map(({ score }, id) => [texts[id], score]),
      byte_fallback: model.byteFallback,
    };
  }
  return bpeModel({
    vocab: Object.fromEntries(vocab),
    merges: reconstructMerges(pieces.filter((piece, id) => texts[id] === piece.text)),
    unknown: texts[unknown],
    byteFallback: model.byteFallback,
  });
}

/**
 * The pairs that make up a piece, for every piece, those of the highest score first. SentencePiece keeps no merges: it
 * joins whichever neighbours make the piece of the highest score.
 */
export function reconstructMerges(pieces: readonly Piece[]): [left: string, right: string][] {
  const merged = pieces.filter(({ type }) => type === 'normal' || type === 'user-defined' || type === 'unused');
  const texts = new Set(merged.map((piece) => piece.text));
  const merges: [string, string][] = [];
  for (const { text } of merged.sort((a, b) => b.score - a.score)) {
    for (let cut = 1; cut < text.length; cut++) {
      const left = text.slice(0, cut);
      const right = text.slice(cut);
      if (texts.has(left) && texts.has(right)) merges.push([left, right]);
    }
  }
  return merges;
}
