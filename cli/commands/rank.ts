import { type Command, command, deviceOption, fetchModel, positiveNumber, withEngine } from '../command.ts';
import { printJson, progressBar } from '../terminal.ts';
import {
  checkRankedFlags,
  checkRewardModel,
  type RankedFlags,
  rewardFolder,
  rewardModelText,
  sayRanked,
  withRankedOptions,
  writeRankedOutputs,
} from './rank-options.ts';

interface RankFlags extends RankedFlags {
  readonly rewardModel: string;
  readonly dtype: 'auto' | 'float32' | 'bfloat16';
  readonly device?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export function rankCommand(): Command {
  const rank = command('rank', 'have a reward model rank answers that exist already', [
    'rank candidates.jsonl --reward-model my-reward-model --out ranked.jsonl',
    'rank comparisons.json --reward-model my-reward-model --out ranked.jsonl --groups groups',
  ])
    .argument('<candidates>', '{prompt, candidates: [text or {text}]}, or answers that are compared in any form')
    .requiredOption('--reward-model <folder>', rewardModelText)
    .requiredOption('--out <file>', 'rows {id, prompt, output, reward, candidates}; rows that are there are kept');
  return withRankedOptions(rank)
    .option('--dtype <type>', 'compute in auto, float32 or bfloat16', 'auto')
    .addOption(deviceOption())
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document')
    .action(runRank);
}

async function runRank(candidates: string, flags: RankFlags): Promise<void> {
  const { z } = await import('zod');
  const { answerSchema } = await import('../../recipes/answer-config.ts');
  const { readAnswerSets } = await import('../../recipes/rank-input.ts');
  const { rankFile } = await import('../../recipes/rank.ts');
  const { parseConfig } = await import('../../src/run/config.ts');
  const schema = z.object({ dtype: answerSchema.shape.dtype, device: answerSchema.shape.device });
  const { dtype, device } = parseConfig(schema, flags, 'rank');
  checkRankedFlags(flags, { 'the candidates': candidates });
  const sets = readAnswerSets(candidates);
  const named = await rewardFolder(flags.rewardModel);
  const bar = progressBar('ranking');
  const result = await withEngine({ threads: flags.threads, device }, async (engine, signal) => {
    const { engineRewards } = await import('../../recipes/engine.ts');
    const { modelName } = await import('../../recipes/local-models.ts');
    const folder = await fetchModel(named, signal);
    await checkRewardModel(folder);
    return rankFile(engineRewards(engine, { folder, dtype }), sets, {
      file: flags.out,
      settings: { rewardModel: await modelName(folder), dtype },
      signal,
      onProgress: (done, total) => bar.update(done, total),
    });
  });
  bar.finish(`${result.rows} rows, ${flags.out}`);
  const outputs = await writeRankedOutputs(flags);
  await sayRanked(outputs);
  if (flags.json) printJson({ ...result, ...outputs });
}
