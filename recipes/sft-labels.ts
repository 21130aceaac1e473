/** Data from which nothing could be learned, or never to stop: refused before the first step. */
import { ConfigError, DataError } from '../src/base/errors.ts';
import type { EncodingReceipt, TokenDocument } from '../src/data/pack.ts';
import type { LoadedModel } from '../src/local/loaded-model.ts';
import type { SftConfig } from './sft-config.ts';

/** A model that never sees its stop token learns never to stop; a run without labels learns nothing. */
export function refuseUselessLabels(
  { data }: SftConfig,
  { stopTokens, tokenizer, template }: LoadedModel,
  documents: readonly TokenDocument[],
  receipt: EncodingReceipt,
): void {
  const file = data.join(', ');
  if (documents.length === 0) {
    const issues = receipt.dropped.length > 0 ? receipt.dropped : [{ message: 'no rows' }];
    throw new DataError(file, issues, { hint: 'nothing is left to train on; raise --max-tokens or mend the data' });
  }
  const stops = new Set(stopTokens);
  const ends = documents.some(({ ids, labelMask }) => ids.some((id, i) => labelMask[i] === 1 && stops.has(id)));
  if (ends) return;
  const names = stopTokens.map((id) => tokenizer.decode([id])).join(', ') || 'none';
  throw new ConfigError(`the end of a turn is never trained: no answer ends with a stop token (${names})`, {
    hint: `template ${template.name} and generation_config.json disagree on what ends an answer; try --template chatml`,
  });
}
