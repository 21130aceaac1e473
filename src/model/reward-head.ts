/**
 * A language model becomes a reward model: its output head gives way to one number a token, read at the last token of a
 * conversation. Saved as transformers' …ForSequenceClassification of one label, which reads it at the last token that is
 * not padding: so the padding token must be one that conversations do not end with.
 */
import { ConfigError } from '../base/errors.ts';
import { Rng } from '../base/rng.ts';
import { fromFloat32 } from '../torch/convert.ts';
import { keep, scope, type Tensor } from '../torch/tensor.ts';
import { type ModelConfig, scalarHeadName } from './config.ts';
import { Decoder } from './decoder.ts';

/**
 * Takes the decoder over, and `head` [1, hidden]; without one the decoder has its own and keeps it. `padTokenId`: what
 * transformers is to take for padding.
 */
export function asRewardModel(
  decoder: Decoder,
  { head, padTokenId }: { readonly head?: Tensor; readonly padTokenId?: number },
): Decoder {
  const { config, parameters, adapters } = decoder;
  const padding = padTokenId === undefined ? {} : { pad_token_id: padTokenId };
  const source = { ...config.source, ...classifier(config), ...padding };
  const own = new Map(parameters);
  if (head) {
    if (!config.tiedEmbeddings && decoder.hasHead) {
      decoder.headWeight.release();
      own.delete(decoder.headName);
    }
    own.get(scalarHeadName)?.release();
    own.set(scalarHeadName, head);
  }
  return new Decoder({ ...config, scalarHead: true, source }, own, adapters);
}

/** With deviation 1 / √(hidden + 1), as Stiennon et al. 2020 (arXiv 2009.01325) begin. Kept. */
export function freshHead(hiddenSize: number, seed: number): Tensor {
  const rng = new Rng('scalar head', seed);
  const deviation = 1 / Math.sqrt(hiddenSize + 1);
  const values = Float32Array.from({ length: hiddenSize }, () => deviation * rng.normal());
  return keep(scope(() => fromFloat32(values, [1, hiddenSize])));
}

function classifier({ source, family }: ModelConfig): Record<string, unknown> {
  const [named = ''] = (source['architectures'] ?? []) as readonly string[];
  const stem = /^(.+?)For(?:CausalLM|SequenceClassification)$/.exec(named)?.[1];
  if (stem === undefined) {
    throw new ConfigError(`config.json: architectures: expected a name such as LlamaForCausalLM, got "${named}"`, {
      hint: `transformers finds a saved reward model by it; set it to what belongs to model type ${family}`,
    });
  }
  return {
    architectures: [`${stem}ForSequenceClassification`],
    id2label: { 0: 'reward' },
    label2id: { reward: 0 },
    problem_type: null,
  };
}
