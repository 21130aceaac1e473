import type { AnswerFileOptions } from '../../recipes/answer.ts';
import { ConfigError } from '../../src/base/errors.ts';
import type { LocalRequest } from '../../src/local/local-model.ts';
import type { WeightFormat } from '../../src/model/quantize.ts';
import {
  type Command,
  command,
  deviceOption,
  fetchModel,
  modelFolder,
  positiveNumber,
  realNumber,
  wholeNumber,
  withEngine,
} from '../command.ts';
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

interface AnswerFlags extends RankedFlags {
  readonly model: string;
  readonly prompts: string;
  readonly bestOf?: number;
  readonly rewardModel?: string;
  readonly template?: string;
  readonly dtype: 'auto' | 'float32' | 'bfloat16';
  readonly device?: string;
  readonly weights: WeightFormat;
  readonly maxTokens: number;
  readonly temperature?: number;
  readonly topK: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
  readonly batch: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export function answerCommand(): Command {
  const answerPrompts = command('answer', 'have a model answer a file of prompts', [
    'answer --model my-student --prompts assets/questions/en.jsonl --out answers.jsonl',
    'answer --best-of 5 --reward-model my-reward-model --model my-student --prompts prompts.jsonl --out ranked.jsonl',
  ])
    .requiredOption('--model <folder>', 'a Hugging Face folder, a folder of adapters, org/name on the hub, or builtin')
    .requiredOption(
      '--prompts <file>',
      'JSONL or JSON array: prompt, or instruction and input, or messages; id optional',
    )
    .requiredOption(
      '--out <file>',
      'rows {id, prompt, output, finishReason}, with --best-of all candidates too; rows that are there are kept',
    )
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .option('--dtype <type>', 'compute in auto, float32 or bfloat16', 'auto')
    .addOption(deviceOption())
    .option(
      '--weights <format>',
      'full, or stored in fewer bits once loaded: bf16, int8, int4 (coarse); smaller and faster',
      'full',
    )
    .option('--max-tokens <n>', 'longest answer', positiveNumber, 256)
    .option('--temperature <t>', '0 is greedy (default: 0; with --best-of: 1)', realNumber)
    .option('--top-k <k>', 'keep the k likeliest tokens; 0 keeps all', wholeNumber, 0)
    .option('--top-p <p>', 'keep the likeliest tokens that reach p', realNumber, 1)
    .option('--repetition-penalty <x>', '1 changes nothing', realNumber, 1)
    .option('--seed <n>', 'of the sampling', wholeNumber, 1)
    .option('--batch <n>', 'prompts decoded together; one that is done makes room for the next', positiveNumber, 8)
    .option('--best-of <n>', 'sample n answers a prompt; the one of the highest reward is the output', positiveNumber)
    .option('--reward-model <folder>', `of --best-of: ${rewardModelText}`);
  return withRankedOptions(answerPrompts)
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document')
    .action(answer);
}

async function answer(flags: AnswerFlags): Promise<void> {
  const { readPrompts } = await import('../../src/data/prompts.ts');
  const { answerFile } = await import('../../recipes/answer.ts');
  const { checkModel, checkTemplate } = await import('../../recipes/sft-input.ts');
  const { parseConfig } = await import('../../src/run/config.ts');
  const { answerSchema } = await import('../../recipes/answer-config.ts');
  const temperature = flags.temperature ?? (flags.bestOf === undefined ? 0 : 1);
  const { dtype, device, weights, ...sampling } = parseConfig(answerSchema, { ...flags, temperature }, 'answer');
  const bestOf = await bestOfSettings(flags, temperature);
  const named = modelFolder(flags.model);
  const prompts = readPrompts(flags.prompts);
  checkTemplate(flags.template);
  checkModel(named);
  const requests = prompts.map(({ id, messages }): LocalRequest => {
    return { key: id, messages, maxTokens: flags.maxTokens, sampling, stop: [] };
  });
  const bar = progressBar('answering');
  const result = await withEngine({ threads: flags.threads, device }, async (engine, signal) => {
    const { engineModel, engineRewards } = await import('../../recipes/engine.ts');
    const { modelName } = await import('../../recipes/local-models.ts');
    const folder = await fetchModel(named, signal);
    const model = engineModel(engine, { folder, dtype, weights, template: flags.template });
    const options: AnswerFileOptions = {
      file: flags.out,
      batch: flags.batch,
      signal,
      settings: {
        model: await modelName(flags.model === 'builtin' ? flags.model : folder),
        dtype,
        weights,
        template: flags.template,
      },
      onProgress: ({ done, total, tokensPerSecond }) =>
        bar.update(done, total, `${tokensPerSecond.toFixed(0)} tokens/s`),
    };
    if (!bestOf) return answerFile(model, requests, options);
    const { bestOfFile } = await import('../../recipes/best-of.ts');
    const rewardModel = await fetchModel(bestOf.folder, signal);
    await checkRewardModel(rewardModel);
    const settings = { ...(options.settings as object), rewardModel: await modelName(rewardModel) };
    const rewards = engineRewards(engine, { folder: rewardModel, dtype });
    return bestOfFile(model, rewards, requests, { ...options, settings, n: bestOf.n });
  });
  bar.finish(`${result.rows} rows, ${result.tokens} new tokens, ${flags.out}`);
  const outputs = bestOf && (await writeRankedOutputs(flags));
  if (outputs) await sayRanked(outputs);
  if (flags.json) printJson({ ...result, ...outputs });
}

/** undefined for plain answering. Bad combinations end here, before anything is loaded. */
async function bestOfSettings(
  flags: AnswerFlags,
  temperature: number,
): Promise<{ n: number; folder: string } | undefined> {
  const { bestOf, rewardModel, groups, training } = flags;
  if (bestOf === undefined || rewardModel === undefined) {
    const idle = Object.entries({ '--reward-model': rewardModel, '--groups': groups, '--training': training });
    const [given] = idle.find(([, value]) => value !== undefined) ?? [];
    if (bestOf !== undefined) throw new ConfigError('--best-of: expected --reward-model FOLDER, which picks the best');
    if (given !== undefined) throw new ConfigError(`${given}: expected --best-of N with it`);
    checkRankedFlags(flags, {});
    return undefined;
  }
  if (bestOf > 1 && temperature === 0) {
    throw new ConfigError(
      `--best-of ${bestOf} with --temperature 0: greedy decoding writes the same answer each time`,
      {
        hint: 'leave --temperature out (1), or give another',
      },
    );
  }
  checkRankedFlags(flags, { '--prompts': flags.prompts });
  return { n: bestOf, folder: await rewardFolder(rewardModel) };
}
