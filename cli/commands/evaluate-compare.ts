import type { EvaluateConfig } from '../../recipes/evaluate-config.ts';
import { type Command, command, fetchModel, modelFolder, positiveNumber } from '../command.ts';
import { print, printJson } from '../terminal.ts';

interface CompareFlags {
  readonly before: string;
  readonly after: string;
  readonly questions: string[];
  readonly out: string;
  readonly perLanguage?: number;
  readonly maxTokens?: number;
  readonly scorer?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export function compareCommand(): Command {
  return command('compare', 'two models on the same held-out questions: loss, ROUGE-L, a scorer', [
    'evaluate compare --before builtin --after my-student --questions assets/questions/en.jsonl --out comparison',
  ])
    .requiredOption('--before <folder>', 'the model as it was, or builtin')
    .requiredOption('--after <folder>', 'the model as it is now')
    .requiredOption('--questions <files...>', 'JSONL rows {id, category, instruction, input, output}')
    .requiredOption('--out <folder>', 'folder of the rows behind the figures')
    .option('--per-language <n>', 'ask so many questions a language', positiveNumber)
    .option('--max-tokens <n>', 'longest answer', positiveNumber)
    .option('--scorer <folder>', 'model whose log-probabilities of the answers are taken')
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document')
    .action(compare);
}

async function compare({ before, after, out, scorer, threads, json, ...rest }: CompareFlags): Promise<void> {
  const { parseConfig } = await import('../../src/run/config.ts');
  const { evaluateSchema } = await import('../../recipes/evaluate-config.ts');
  const { readQuestions } = await import('../../src/data/formats.ts');
  const models = [before, after, ...(scorer === undefined ? [] : [scorer])].map(modelFolder);
  const settings = { ...rest, scorer: scorer === undefined ? undefined : { model: models[2] } };
  const config: EvaluateConfig = parseConfig(evaluateSchema, settings, 'evaluate compare');
  readQuestions(config.questions);
  const { checkModel } = await import('../../recipes/sft-input.ts');
  for (const model of models) checkModel(model);
  const { withRunContext } = await import('../run-context.ts');
  const evaluate = await import('../../recipes/evaluate.ts');
  const { headlineRows, headlineText } = await import('../../src/report/headline.ts');
  const summary = await withRunContext({ output: out, threads }, async (context) => {
    const fetched: string[] = [];
    for (const model of models) fetched.push(await fetchModel(model, context.signal));
    const [first, second, third] = fetched as [string, string, string?];
    const local = { ...config, ...(config.scorer && third && { scorer: { ...config.scorer, model: third } }) };
    return evaluate.run(local, { before: first, after: second }, [], out, context);
  });
  if (json) printJson(summary);
  else print(headlineText(headlineRows(summary)));
}
