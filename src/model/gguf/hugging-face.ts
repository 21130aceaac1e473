/**
 * What a GGUF file is as a Hugging Face directory: config.json, generation_config.json, tokenizer.json,
 * tokenizer_config.json, chat template, and which tensor has which name. A pure description: it writes nothing and
 * reads no weights but `rope_freqs.weight`, which says how rotary embeddings are scaled.
 *
 * Of Llama and Mistral models llama.cpp keeps the rows of the query and key projections in another order (each head's
 * rotary pairs side by side, where Hugging Face has first halves before second halves); `readHuggingFaceTensor` puts
 * them back. Of Qwen models it does not. A file of the architecture "mistral", which llama.cpp itself never writes, is
 * taken to be in the order that llama.cpp's converter gives Mistral models.
 */
import { invariant } from '../../base/errors.ts';
import { describeConfig, type ModelConfigJson } from './config.ts';
import { optionalId } from './metadata.ts';
import type { Gguf } from './reader.ts';
import { undoRotaryPermutation } from './rotary-rows.ts';
import { mapTensors } from './tensor-names.ts';
import { describeTokenizer, type TokenizerFiles } from './tokenizer.ts';

export interface GenerationConfigJson {
  readonly bos_token_id: number | null;
  /** Any of them ends an answer. */
  readonly eos_token_id: number | readonly number[] | null;
  readonly pad_token_id: number | null;
}

export interface HuggingFaceDescription extends TokenizerFiles {
  readonly config: ModelConfigJson;
  readonly generationConfig: GenerationConfigJson;
  /** GGUF tensor name → Hugging Face tensor name, in the file's order. */
  readonly tensorMap: ReadonlyMap<string, string>;
  readonly chatTemplate: string | undefined;
}

/**
 * Throws DataError that names the key or tensor where the file is not a model we can describe exactly, or has tensors
 * that cannot be decoded.
 */
export function ggufToHuggingFace(gguf: Gguf): HuggingFaceDescription {
  const config = describeConfig(gguf);
  const tensorMap = mapTensors(gguf, config);
  gguf.refuseUndecodable(gguf.tensors);
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
export function readHuggingFaceTensor(gguf: Gguf, config: ModelConfigJson, name: string): Float32Array {
  const tensor = gguf.tensor(name);
  invariant(tensor, `readHuggingFaceTensor: ${gguf.path} has no tensor ${name}`);
  const values = gguf.readFloat32(tensor);
  const projection = /^blk\.\d+\.attn_([qk])\./.exec(name)?.[1];
  const isPermuted = config.model_type === 'llama' || config.model_type === 'mistral';
  if (!projection || !isPermuted) return values;
  return undoRotaryPermutation(values, {
    numHeads: projection === 'q' ? config.num_attention_heads : config.num_key_value_heads,
    headDim: config.head_dim,
  });
}
