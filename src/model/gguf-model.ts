/**
 * What a GGUF file of a Llama-architecture model is as a Hugging Face directory: config.json, generation_config.json,
 * tokenizer.json, tokenizer_config.json, chat template, and which tensor has which name. A pure description: it
 * writes nothing and reads no weights but `rope_freqs.weight`, to see whether it scales anything.
 *
 * llama.cpp keeps the rows of the query and key projections in another order (each head's rotary pairs side by side,
 * where Hugging Face has first halves before second halves); `readHuggingFaceTensor` puts them back.
 * Tokenizer and configuration stand in one file: both are tables of what llama.cpp's keys mean.
 * What it cannot describe exactly it refuses: other architectures, experts, scaled or partial rotary embeddings,
 * SentencePiece vocabularies, unknown pre-tokenizers.
 *
 * Source: convert_hf_to_gguf.py and llama-vocab.cpp of llama.cpp for the meaning of keys and pre-tokenizer names.
 */
import { DataError, type DataIssue, invariant } from '../base/errors.ts';
import type { Gguf, GgufValue } from './gguf.ts';

/** The members of config.json. `torch_dtype` is left to whoever saves the weights. */
export interface LlamaConfigJson {
  readonly architectures: readonly ['LlamaForCausalLM'];
  readonly model_type: 'llama';
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly head_dim: number;
  readonly hidden_act: 'silu';
  readonly rms_norm_eps: number;
  readonly rope_theta: number;
  readonly rope_scaling: null;
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly tie_word_embeddings: boolean;
  readonly attention_bias: boolean;
  readonly attention_dropout: 0;
  readonly mlp_bias: boolean;
  readonly initializer_range: 0.02;
  readonly use_cache: true;
  readonly bos_token_id: number | null;
  readonly eos_token_id: number | null;
  readonly pad_token_id: number | null;
}

export interface GenerationConfigJson {
  readonly bos_token_id: number | null;
  /** Any of them ends an answer. */
  readonly eos_token_id: number | readonly number[] | null;
  readonly pad_token_id: number | null;
}

export interface HuggingFaceDescription {
  readonly config: LlamaConfigJson;
  readonly generationConfig: GenerationConfigJson;
  /** GGUF tensor name → Hugging Face tensor name, in the file's order. */
  readonly tensorMap: ReadonlyMap<string, string>;
  readonly tokenizerJson: Readonly<Record<string, unknown>>;
  readonly tokenizerConfig: Readonly<Record<string, unknown>>;
  readonly chatTemplate: string | undefined;
}

/** Throws DataError that names the key or tensor where the file is not a Llama model we can describe exactly. */
export function ggufToHuggingFace(gguf: Gguf): HuggingFaceDescription {
  const architecture = gguf.metadata.get('general.architecture');
  if (architecture !== 'llama')
    refuse(gguf, 'general.architecture', `expected architecture "llama", got ${show(architecture)}`);
  const config = describeConfig(gguf);
  const tensorMap = mapTensors(gguf, config);
  const endOfTurn = optionalId(gguf, 'tokenizer.ggml.eot_token_id');
  const { bos_token_id, eos_token_id, pad_token_id } = config;
  const eos =
    endOfTurn === null || endOfTurn === eos_token_id
      ? eos_token_id
      : [eos_token_id, endOfTurn].filter((id) => id !== null);
  const template = gguf.metadata.get('tokenizer.chat_template');
  return {
    config,
    generationConfig: { bos_token_id, eos_token_id: eos, pad_token_id },
    tensorMap,
    ...describeTokenizer(gguf, config),
    chatTemplate: typeof template === 'string' ? template : undefined,
  };
}

/** A tensor as Hugging Face has it: float32, rotary rows in Hugging Face's order, shape as in `gguf.tensors`. */
export function readHuggingFaceTensor(gguf: Gguf, config: LlamaConfigJson, name: string): Float32Array {
  const tensor = gguf.tensor(name);
  invariant(tensor, `readHuggingFaceTensor: ${gguf.path} has no tensor ${name}`);
  const values = gguf.readFloat32(tensor);
  const projection = /^blk\.\d+\.attn_([qk])\./.exec(name)?.[1];
  if (!projection) return values;
  return undoRotaryPermutation(values, {
    numHeads: projection === 'q' ? config.num_attention_heads : config.num_key_value_heads,
    headDim: config.head_dim,
  });
}

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

// —— config.json ——

function describeConfig(gguf: Gguf): LlamaConfigJson {
  const hiddenSize = wholeNumber(gguf, 'llama.embedding_length');
  const numHeads = wholeNumber(gguf, 'llama.attention.head_count');
  const headDim = wholeNumber(gguf, 'llama.attention.key_length', hiddenSize / numHeads);
  refuseOtherShapes(gguf, headDim);
  const embedding = gguf.tensor('token_embd.weight');
  if (embedding?.shape.length !== 2) return refuse(gguf, 'token_embd.weight', 'expected a tensor [vocabulary, width]');
  const hasTensor = (suffix: string) => gguf.tensors.some((tensor) => tensor.name.endsWith(suffix));
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: hiddenSize,
    intermediate_size: wholeNumber(gguf, 'llama.feed_forward_length'),
    num_hidden_layers: wholeNumber(gguf, 'llama.block_count'),
    num_attention_heads: numHeads,
    num_key_value_heads: wholeNumber(gguf, 'llama.attention.head_count_kv', numHeads),
    head_dim: headDim,
    hidden_act: 'silu',
    rms_norm_eps: float32Number(gguf, 'llama.attention.layer_norm_rms_epsilon'),
    // 10,000 is the format's default (Su et al. 2021, arXiv 2104.09864).
    rope_theta: float32Number(gguf, 'llama.rope.freq_base', 10_000),
    rope_scaling: null,
    vocab_size: embedding.shape[0] as number,
    max_position_embeddings: wholeNumber(gguf, 'llama.context_length'),
    tie_word_embeddings: gguf.tensor('output.weight') === undefined,
    attention_bias: hasTensor('.attn_q.bias'),
    attention_dropout: 0,
    mlp_bias: hasTensor('.ffn_up.bias'),
    initializer_range: 0.02,
    use_cache: true,
    bos_token_id: optionalId(gguf, 'tokenizer.ggml.bos_token_id'),
    eos_token_id: optionalId(gguf, 'tokenizer.ggml.eos_token_id'),
    pad_token_id: optionalId(gguf, 'tokenizer.ggml.padding_token_id'),
  };
}

function refuseOtherShapes(gguf: Gguf, headDim: number): void {
  const advice = 'use the model as a Hugging Face directory instead';
  const { metadata } = gguf;
  const experts = metadata.get('llama.expert_count') ?? 0;
  if (experts !== 0) refuse(gguf, 'llama.expert_count', `a mixture of ${show(experts)} experts is not supported`);
  for (const key of ['llama.attention.value_length', 'llama.rope.dimension_count']) {
    if (wholeNumber(gguf, key, headDim) !== headDim)
      refuse(gguf, key, `expected the width of a head, ${headDim}, got ${show(metadata.get(key))}`);
  }
  const scaling = metadata.get('llama.rope.scaling.type') ?? 'none';
  if (scaling !== 'none')
    refuse(gguf, 'llama.rope.scaling.type', `rotary scaling ${show(scaling)} is not supported`, advice);
  if ((metadata.get('llama.rope.scale_linear') ?? 1) !== 1)
    refuse(gguf, 'llama.rope.scale_linear', 'rotary scaling is not supported', advice);
  // Llama 3.1 and later carry their scaling as divisors of the frequencies; older files have the tensor with all ones.
  const factors = gguf.tensor('rope_freqs.weight');
  if (factors && gguf.readFloat32(factors).some((factor) => factor !== 1))
    refuse(gguf, 'rope_freqs.weight', 'rotary scaling of Llama 3.1 and later is not supported', advice);
}

// —— tensors ——

const blockParts: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** Checks that every tensor of the architecture is there with its shape, and that there is no other. */
function mapTensors(gguf: Gguf, config: LlamaConfigJson): Map<string, string> {
  const expected = expectedTensors(config);
  const issues: DataIssue[] = [];
  const names = new Map<string, string>();
  for (const { name, shape } of gguf.tensors) {
    if (name === 'rope_freqs.weight') continue;
    const known = expected.get(name);
    if (!known) issues.push({ path: name, message: 'no tensor of a Llama model has this name' });
    else if (known.shape.join() !== shape.join())
      issues.push({ path: name, message: `expected shape [${known.shape.join(', ')}], got [${shape.join(', ')}]` });
    else names.set(name, known.name);
    expected.delete(name);
  }
  for (const name of expected.keys()) issues.push({ path: name, message: 'the tensor is missing' });
  if (issues.length > 0) throw new DataError(gguf.path, issues);
  return names;
}

function expectedTensors(config: LlamaConfigJson): Map<string, { name: string; shape: readonly number[] }> {
  const { hidden_size: width, intermediate_size: inner, vocab_size: vocabulary } = config;
  const queries = config.num_attention_heads * config.head_dim;
  const keys = config.num_key_value_heads * config.head_dim;
  const shapes: Readonly<Record<string, readonly number[]>> = {
    attn_norm: [width],
    attn_q: [queries, width],
    attn_k: [keys, width],
    attn_v: [keys, width],
    attn_output: [width, queries],
    ffn_norm: [width],
    ffn_gate: [inner, width],
    ffn_up: [inner, width],
    ffn_down: [width, inner],
  };
  const tensors = new Map<string, { name: string; shape: readonly number[] }>([
    ['token_embd.weight', { name: 'model.embed_tokens.weight', shape: [vocabulary, width] }],
    ['output_norm.weight', { name: 'model.norm.weight', shape: [width] }],
  ]);
  if (!config.tie_word_embeddings) tensors.set('output.weight', { name: 'lm_head.weight', shape: [vocabulary, width] });
  for (let block = 0; block < config.num_hidden_layers; block++) {
    for (const [part, shape] of Object.entries(shapes)) {
      const name = `model.layers.${block}.${blockParts[part]}`;
      tensors.set(`blk.${block}.${part}.weight`, { name: `${name}.weight`, shape });
      const hasBias = shape.length === 2 && (part.startsWith('attn') ? config.attention_bias : config.mlp_bias);
      if (hasBias) tensors.set(`blk.${block}.${part}.bias`, { name: `${name}.bias`, shape: shape.slice(0, 1) });
    }
  }
  return tensors;
}

// —— tokenizer.json, tokenizer_config.json ——

const byteLevel = (useRegex: boolean) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const splitThenBytes = (regex: string) => ({
  type: 'Sequence',
  pretokenizers: [{ type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false }, byteLevel(false)],
});
const digitsThenBytes = {
  type: 'Sequence',
  pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel(true)],
};
/** The splitting rules of Llama 3 and Qwen 2 as their tokenizer.json files publish them; they differ in the digits. */
const wordRules = (digits: string) =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

interface Splitting {
  readonly preTokenizer: object;
  readonly normalizer?: object;
  /** A whole word of the vocabulary is taken as it is, whatever the merges say. */
  readonly ignoreMerges?: boolean;
  readonly addsBos?: boolean;
}

const llamaThree: Splitting = {
  preTokenizer: splitThenBytes(wordRules('\\p{N}{1,3}')),
  ignoreMerges: true,
  addsBos: true,
};

/** By the names llama.cpp gives them in `tokenizer.ggml.pre`. */
const splittings: ReadonlyMap<string, Splitting> = new Map<string, Splitting>([
  ['smollm', { preTokenizer: digitsThenBytes }],
  ['starcoder', { preTokenizer: digitsThenBytes }],
  ['refact', { preTokenizer: digitsThenBytes }],
  ['gpt-2', { preTokenizer: byteLevel(true) }],
  ['llama-bpe', llamaThree],
  ['llama3', llamaThree],
  ['llama-v3', llamaThree],
  ['qwen2', { preTokenizer: splitThenBytes(wordRules('\\p{N}')), normalizer: { type: 'NFC' } }],
]);

/** Values of `tokenizer.ggml.token_type`. */
const controlToken = 3;
const userDefinedToken = 4;
const unusedToken = 5;

function describeTokenizer(
  gguf: Gguf,
  config: LlamaConfigJson,
): Pick<HuggingFaceDescription, 'tokenizerJson' | 'tokenizerConfig'> {
  const { metadata } = gguf;
  const model = metadata.get('tokenizer.ggml.model');
  if (model !== 'gpt2')
    refuse(
      gguf,
      'tokenizer.ggml.model',
      `tokenizer model ${show(model)} is not supported; supported: "gpt2" (byte-level BPE)`,
      'use the model as a Hugging Face directory with its tokenizer.json',
    );
  const name = metadata.get('tokenizer.ggml.pre');
  const splitting =
    splittings.get(String(name)) ??
    refuse(
      gguf,
      'tokenizer.ggml.pre',
      `pre-tokenizer ${show(name)} is not known; known: ${[...splittings.keys()].join(', ')}`,
      'use the model as a Hugging Face directory with its tokenizer.json',
    );
  const tokens = list(gguf, 'tokenizer.ggml.tokens', 'string');
  if (tokens.length > config.vocab_size)
    refuse(gguf, 'tokenizer.ggml.tokens', `${tokens.length} tokens, but ${config.vocab_size} rows of the embedding`);
  const tokenAt = (id: number | null, key: string): string | null =>
    id === null ? null : (tokens[id] ?? refuse(gguf, key, `expected an id below ${tokens.length}, got ${id}`));
  const bos = tokenAt(config.bos_token_id, 'tokenizer.ggml.bos_token_id');
  const eos = tokenAt(config.eos_token_id, 'tokenizer.ggml.eos_token_id');
  const unknown = optionalId(gguf, 'tokenizer.ggml.unknown_token_id');
  return {
    tokenizerJson: {
      version: '1.0',
      truncation: null,
      padding: null,
      ...describeVocabulary(gguf, tokens, splitting),
      post_processor: describePostProcessor(gguf, config, { bos, eos, addsBos: splitting.addsBos ?? false }),
    },
    tokenizerConfig: {
      tokenizer_class: 'PreTrainedTokenizerFast',
      model_max_length: config.max_position_embeddings,
      clean_up_tokenization_spaces: false,
      bos_token: bos,
      eos_token: eos,
      unk_token: tokenAt(unknown, 'tokenizer.ggml.unknown_token_id'),
      pad_token: tokenAt(config.pad_token_id, 'tokenizer.ggml.padding_token_id'),
    },
  };
}

function describeVocabulary(gguf: Gguf, tokens: readonly string[], splitting: Splitting): Record<string, unknown> {
  const types = list(gguf, 'tokenizer.ggml.token_type', 'number');
  const merges = list(gguf, 'tokenizer.ggml.merges', 'string');
  if (types.length !== tokens.length)
    refuse(gguf, 'tokenizer.ggml.token_type', `${types.length} types for ${tokens.length} tokens`);
  const broken = merges.findIndex((merge) => !/^[^ ]+ [^ ]+$/.test(merge));
  if (broken >= 0) refuse(gguf, `tokenizer.ggml.merges[${broken}]`, `expected two tokens, got ${show(merges[broken])}`);
  const vocabulary = new Map<string, number>();
  const addedTokens: object[] = [];
  tokens.forEach((content, id) => {
    const type = types[id];
    // llama.cpp fills the vocabulary up to the embedding's rows; no text ever becomes such a token.
    if (type === unusedToken && /^\[PAD\d+\]$/.test(content)) return;
    if (vocabulary.has(content)) refuse(gguf, `tokenizer.ggml.tokens[${id}]`, `${show(content)} is there twice`);
    vocabulary.set(content, id);
    if (type !== controlToken && type !== userDefinedToken) return;
    const special = type === controlToken;
    addedTokens.push({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special });
  });
  return {
    added_tokens: addedTokens,
    normalizer: splitting.normalizer ?? null,
    pre_tokenizer: splitting.preTokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: splitting.ignoreMerges ?? false,
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  };
}

/** Adds the first and last token where the file says that texts have them; null where they have neither. */
function describePostProcessor(
  gguf: Gguf,
  config: LlamaConfigJson,
  ends: { readonly bos: string | null; readonly eos: string | null; readonly addsBos: boolean },
): object | null {
  const before = (gguf.metadata.get('tokenizer.ggml.add_bos_token') ?? ends.addsBos) === true;
  const after = gguf.metadata.get('tokenizer.ggml.add_eos_token') === true;
  if (before && ends.bos === null) refuse(gguf, 'tokenizer.ggml.bos_token_id', 'is missing; texts begin with it');
  if (after && ends.eos === null) refuse(gguf, 'tokenizer.ggml.eos_token_id', 'is missing; texts end with it');
  if (!before && !after) return null;
  const around = (sequence: 'A' | 'B', type_id: 0 | 1): object[] => [
    ...(before ? [{ SpecialToken: { id: ends.bos, type_id } }] : []),
    { Sequence: { id: sequence, type_id } },
    ...(after ? [{ SpecialToken: { id: ends.eos, type_id } }] : []),
  ];
  const special = (token: string | null, id: number | null) =>
    token === null ? [] : [[token, { id: token, ids: [id], tokens: [token] }] as const];
  return {
    type: 'TemplateProcessing',
    single: around('A', 0),
    pair: [...around('A', 0), ...around('B', 1)],
    special_tokens: Object.fromEntries([
      ...(before ? special(ends.bos, config.bos_token_id) : []),
      ...(after ? special(ends.eos, config.eos_token_id) : []),
    ]),
  };
}

// —— metadata ——

function show(value: GgufValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === 'bigint' ? `${value}` : JSON.stringify(value);
}

function refuse(gguf: Gguf, path: string, message: string, hint?: string): never {
  throw new DataError(gguf.path, { path, message }, hint === undefined ? {} : { hint });
}

function wholeNumber(gguf: Gguf, key: string, fallback?: number): number {
  const value = gguf.metadata.get(key) ?? fallback;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
  return refuse(gguf, key, `expected a whole number above 0, got ${show(value)}`);
}

/** A decimal that was stored as float32 (9.9999997e-6 is 1e-5): float32 holds 7 digits. */
function float32Number(gguf: Gguf, key: string, fallback?: number): number {
  const value = gguf.metadata.get(key) ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return Number(value.toPrecision(7));
  return refuse(gguf, key, `expected a number above 0, got ${show(value)}`);
}

function optionalId(gguf: Gguf, key: string): number | null {
  const value = gguf.metadata.get(key);
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  return refuse(gguf, key, `expected a token id, got ${show(value)}`);
}

function list(gguf: Gguf, key: string, type: 'string'): readonly string[];
function list(gguf: Gguf, key: string, type: 'number'): readonly number[];
function list(gguf: Gguf, key: string, type: 'string' | 'number'): readonly GgufValue[] {
  const value = gguf.metadata.get(key);
  if (Array.isArray(value) && value.every((element) => typeof element === type)) return value;
  return refuse(gguf, key, `expected an array of ${type}s, got ${show(value)}`);
}
