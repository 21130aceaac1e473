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

interface AnswerFlags {
  readonly model: string;
  readonly prompts: string;
  readonly out: string;
  readonly template?: string;
  readonly dtype: 'auto' | 'float32' | 'bfloat16';
  readonly device?: string;
  readonly weights: WeightFormat;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
  readonly batch: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export function answerCommand(): Command {
  return command('answer', 'have a model answer a file of prompts', [
    'answer --model my-student --prompts assets/questions/en.jsonl --out answers.jsonl',
  ])
    .requiredOption('--model <folder>', 'a Hugging Face folder, a folder of adapters, org/name on the hub, or builtin')
    .requiredOption(
      '--prompts <file>',
      'JSONL or JSON array: prompt, or instruction and input, or messages; id optional',
    )
    .requiredOption('--out <file>', 'rows {id, prompt, output, finishReason}; rows that are there are kept')
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .option('--dtype <type>', 'compute in auto, float32 or bfloat16', 'auto')
    .addOption(deviceOption())
    .option(
      '--weights <format>',
      'full, or stored in fewer bits once loaded: bf16, int8, int4 (coarse); smaller and faster',
      'full',
    )
    .option('--max-tokens <n>', 'longest answer', positiveNumber, 256)
    .option('--temperature <t>', '0 is greedy', realNumber, 0)
    .option('--top-k <k>', 'keep the k likeliest tokens; 0 keeps all', wholeNumber, 0)
    .option('--top-p <p>', 'keep the likeliest tokens that reach p', realNumber, 1)
    .option('--repetition-penalty <x>', '1 changes nothing', realNumber, 1)
    .option('--seed <n>', 'of the sampling', wholeNumber, 1)
    .option('--batch <n>', 'prompts decoded together; one that is done makes room for the next', positiveNumber, 8)
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
  const { dtype, device, weights, ...sampling } = parseConfig(answerSchema, flags, 'answer');
  const named = modelFolder(flags.model);
  const prompts = readPrompts(flags.prompts);
  checkTemplate(flags.template);
  checkModel(named);
  const requests = prompts.map(({ id, messages }): LocalRequest => {
    return { key: id, messages, maxTokens: flags.maxTokens, sampling, stop: [] };
  });
  const bar = progressBar('answering');
  const result = await withEngine({ threads: flags.threads, device }, async (engine, signal) => {
    const { engineModel } = await import('../../recipes/engine.ts');
    const { modelName } = await import('../../recipes/local-models.ts');
    const folder = await fetchModel(named, signal);
    const model = engineModel(engine, { folder, dtype, weights, template: flags.template });
    return answerFile(model, requests, {
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
    });
  });
  bar.finish(`${result.rows} rows, ${result.tokens} new tokens, ${flags.out}`);
  if (flags.json) printJson(result);
}
