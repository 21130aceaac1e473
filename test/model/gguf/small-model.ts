/** A model of two blocks as GGUF: width 4, two heads of 2, one key/value head, inner width 6, five tokens. A Llama, or
 * whatever the changes make of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ggufToHuggingFace, type HuggingFaceDescription } from '../../../src/model/gguf/hugging-face.ts';
import { openGguf } from '../../../src/model/gguf/reader.ts';
import { float32Bytes, ggufBytes, type TensorSpec, type Typed } from './writer.ts';

/** Metadata that is added or replaced, or left out where undefined. */
export type Changes = Readonly<Record<string, Typed | undefined>>;

const control = 3;

const small = (architecture: string): Changes => ({
  'general.architecture': ['string', architecture],
  [`${architecture}.block_count`]: ['u32', 2],
  [`${architecture}.context_length`]: ['u32', 64],
  [`${architecture}.embedding_length`]: ['u32', 4],
  [`${architecture}.feed_forward_length`]: ['u32', 6],
  [`${architecture}.attention.head_count`]: ['u32', 2],
  [`${architecture}.attention.head_count_kv`]: ['u32', 1],
  [`${architecture}.attention.layer_norm_rms_epsilon`]: ['f32', 1e-5],
  'tokenizer.ggml.model': ['string', 'gpt2'],
  'tokenizer.ggml.pre': ['string', 'smollm'],
  'tokenizer.ggml.tokens': ['array', 'string', ['<s>', 'a', 'b', 'ab', '[PAD4]']],
  'tokenizer.ggml.token_type': ['array', 'i32', [control, 1, 1, 1, 5]],
  'tokenizer.ggml.merges': ['array', 'string', ['a b']],
  'tokenizer.ggml.bos_token_id': ['u32', 0],
  'tokenizer.ggml.eos_token_id': ['u32', 0],
});

/** Float32, all values alike; dimensions in ggml's order. */
export const constant = (name: string, dimensions: readonly number[], value = 1): TensorSpec => ({
  name,
  dimensions,
  type: 0,
  data: float32Bytes(Array(dimensions.reduce((a, b) => a * b, 1)).fill(value)),
});

export const smallTensors = (): TensorSpec[] => [
  constant('token_embd.weight', [4, 5]),
  constant('output_norm.weight', [4]),
  ...[0, 1].flatMap((block) => [
    constant(`blk.${block}.attn_norm.weight`, [4]),
    constant(`blk.${block}.attn_q.weight`, [4, 4]),
    constant(`blk.${block}.attn_k.weight`, [4, 2]),
    constant(`blk.${block}.attn_v.weight`, [4, 2]),
    constant(`blk.${block}.attn_output.weight`, [4, 4]),
    constant(`blk.${block}.ffn_norm.weight`, [4]),
    constant(`blk.${block}.ffn_gate.weight`, [4, 6]),
    constant(`blk.${block}.ffn_up.weight`, [4, 6]),
    constant(`blk.${block}.ffn_down.weight`, [6, 4]),
  ]),
];

export function describeSmall(
  changes: Changes,
  tensors = smallTensors(),
  architecture = 'llama',
): HuggingFaceDescription {
  const folder = mkdtempSync(join(tmpdir(), 'understudy-gguf-'));
  try {
    const file = join(folder, 'small.gguf');
    const metadata = Object.entries({ ...small(architecture), ...changes }).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, value] as const],
    );
    writeFileSync(file, ggufBytes({ metadata, tensors }));
    const gguf = openGguf(file);
    try {
      return ggufToHuggingFace(gguf);
    } finally {
      gguf.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
