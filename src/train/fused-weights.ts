/**
 * A Llama-like decoder whose query, key and value weights lie side by side in one matrix, and gate and up in another:
 * products over them are then one product. The decoder's parameters look into these matrices, so that optimizer,
 * checkpoints and the decoder itself know nothing of it.
 */
import { Decoder } from '../model/decoder.ts';
import type { Adapter } from '../model/lora.ts';
import { cat, narrow } from '../torch/ops.ts';
import { keep, releaseAll, scope, type Tensor } from '../torch/tensor.ts';

/** Rows of a matrix that are one parameter. */
export interface Slice {
  /** Without `.weight` and `.bias`. */
  readonly name: string;
  readonly from: number;
  readonly rows: number;
  readonly adapter: Adapter | undefined;
}

/** weight [out, in]; bias [out]. */
export interface FusedLinear {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly slices: readonly Slice[];
}

export interface Norm {
  readonly name: string;
  readonly weight: Tensor;
}

export interface FusedLayer {
  readonly inputNorm: Norm;
  readonly queryKeyValue: FusedLinear;
  readonly queryNorm: Norm | undefined;
  readonly keyNorm: Norm | undefined;
  readonly output: FusedLinear;
  readonly postAttentionNorm: Norm;
  readonly gateUp: FusedLinear;
  readonly down: FusedLinear;
}

/** The layer as it is beside its adapters: for a forward, which asks the slices for nothing else. */
export function withoutAdapters(layer: FusedLayer): FusedLayer {
  const bare = (linear: FusedLinear): FusedLinear => ({ ...linear, slices: [] });
  const { queryKeyValue, output, gateUp, down } = layer;
  return {
    ...layer,
    queryKeyValue: bare(queryKeyValue),
    output: bare(output),
    gateUp: bare(gateUp),
    down: bare(down),
  };
}

export interface FusedWeights {
  readonly decoder: Decoder;
  readonly layers: readonly FusedLayer[];
  /** Of the decoder too. */
  release(): void;
}

/** Whether fused blocks compute this model. Biases after attention and in the MLP are rare: autograd does those. */
export const canFuse = ({ config, dtype }: Pick<Decoder, 'config' | 'dtype'>): boolean =>
  config.architecture === 'llama' && !config.biases.output && !config.biases.mlp && dtype !== 'float16';

/** Takes the decoder's parameters over: those that come to lie elsewhere are released. */
export function fuseWeights(decoder: Decoder): FusedWeights {
  const parameters = new Map(decoder.parameters);
  const matrices: Tensor[] = [];
  const join = (names: readonly string[]): Tensor => {
    const separate = names.map((name) => decoder.parameter(name));
    const joined = keep(scope(() => cat(separate, 0)));
    matrices.push(joined);
    let from = 0;
    for (const [i, tensor] of separate.entries()) {
      const rows = tensor.size(0);
      parameters.set(names[i] as string, keep(scope(() => narrow(joined, 0, from, rows))));
      tensor.release();
      from += rows;
    }
    return joined;
  };
  const linear = (prefix: string, names: readonly string[]): FusedLinear => {
    const parts = names.map((name) => `${prefix}.${name}`);
    const rowsOf = parts.map((part) => decoder.parameter(`${part}.weight`).size(0));
    const slices = parts.map((name, i) => {
      const from = rowsOf.slice(0, i).reduce((sum, rows) => sum + rows, 0);
      return { name, from, rows: rowsOf[i] as number, adapter: decoder.adapters.get(name) };
    });
    const biases = parts.map((part) => `${part}.bias`).filter((name) => decoder.parameters.has(name));
    const [only] = parts;
    if (parts.length === 1) return { weight: decoder.parameter(`${only}.weight`), bias: undefined, slices };
    return {
      weight: join(parts.map((part) => `${part}.weight`)),
      bias: biases.length > 0 ? join(biases) : undefined,
      slices,
    };
  };
  const layers = Array.from({ length: decoder.numLayers }, (_, layer): FusedLayer => {
    const root = `model.layers.${layer}`;
    const norm = (name: string): Norm => {
      return { name: `${root}.${name}.weight`, weight: decoder.parameter(`${root}.${name}.weight`) };
    };
    return {
      inputNorm: norm('input_layernorm'),
      queryKeyValue: linear(`${root}.self_attn`, ['q_proj', 'k_proj', 'v_proj']),
      queryNorm: decoder.config.headNorms ? norm('self_attn.q_norm') : undefined,
      keyNorm: decoder.config.headNorms ? norm('self_attn.k_norm') : undefined,
      output: linear(`${root}.self_attn`, ['o_proj']),
      postAttentionNorm: norm('post_attention_layernorm'),
      gateUp: linear(`${root}.mlp`, ['gate_proj', 'up_proj']),
      down: linear(`${root}.mlp`, ['down_proj']),
    };
  });
  const fused = new Decoder(decoder.config, parameters, decoder.adapters);
  return {
    decoder: fused,
    layers,
    release() {
      fused.release();
      releaseAll(matrices);
    },
  };
}
