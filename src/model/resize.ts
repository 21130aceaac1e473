/**
 * A vocabulary that grows: the rows that new tokens need in the embedding and, where it is not tied, in the output head.
 * They begin as the mean of the rows that tokens had before, so that a new token's logit is the mean of the others' and
 * takes little from any of them (Hewitt 2021, "Initializing New Word Embeddings"; transformers draws around that mean,
 * here it is the mean itself). Rows that models have in excess, to round their number, never were a token's: they are
 * used first, and count for nothing in the mean.
 */
import { noGrad } from '../torch/grad.ts';
import { tensorOperator } from '../torch/operator.ts';
import { cat, expand, narrow, toDtype } from '../torch/ops.ts';
import { type Dtype, keep, scope, type Tensor } from '../torch/tensor.ts';
import type { ModelConfig } from './config.ts';
import { Decoder, parameterShapes } from './decoder.ts';

/**
 * The decoder with rows for the tokens `from` to `to` − 1; it takes over the tensors of `decoder`, which is of no more
 * use. Its configuration has as many tokens as it has rows, also in what a saved config.json says.
 */
export function resizeVocabulary(decoder: Decoder, { from, to }: { from: number; to: number }): Decoder {
  const { config, adapters } = decoder;
  const vocabSize = Math.max(config.vocabSize, to);
  const parameters = new Map(decoder.parameters);
  for (const name of vocabularyParameters(config)) {
    const old = decoder.parameter(name);
    parameters.set(name, keep(scope(() => noGrad(() => withMeanRows(old, from, to)))));
    old.release();
  }
  const source = { ...config.source, vocab_size: vocabSize };
  return new Decoder({ ...config, vocabSize, source }, parameters, adapters);
}

/** Those with a row for each token. */
function vocabularyParameters(config: ModelConfig): string[] {
  const wider = parameterShapes({ ...config, vocabSize: config.vocabSize + 1 });
  return [...parameterShapes(config)].flatMap(([name, shape]) => (shape[0] === wider.get(name)?.[0] ? [] : [name]));
}

const meanOver = tensorOperator<[Tensor, readonly number[], boolean, Dtype]>('aten::mean.dim');

/** rows [vocab, hidden] → [max(vocab, to), hidden]: the mean of those before `from` at `from` to `to` − 1. */
function withMeanRows(rows: Tensor, from: number, to: number): Tensor {
  const [vocab, hidden] = [rows.size(0), rows.size(1)];
  const first = Math.min(from, vocab); // tokens may have outnumbered the rows already
  const before = narrow(rows, 0, 0, first);
  const mean = toDtype(meanOver(before, [0], true, 'float32'), rows.dtype); // [1, hidden]
  const after = to < vocab ? [narrow(rows, 0, to, vocab - to)] : [];
  return cat([before, expand(mean, [to - first, hidden]), ...after], 0);
}
