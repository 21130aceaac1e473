import type { ParseOptions } from '../../src/run/config.ts';
import { type Command, command, ensureNative, fetchModel, interruptible, realNumber } from '../command.ts';
import { print, printJson, say } from '../terminal.ts';

export function runCommand(): Command {
  return command('run', 'the whole chain of a file: data, fine-tuning, evaluation, report; goes on where it stopped', [
    'run examples/demo.yaml',
    'run understudy.yaml --budget-usd 20',
  ])
    .argument('[file]', 'settings', 'understudy.yaml')
    .option('--out <folder>', 'folder of everything the run makes; overrides the file')
    .option('--budget-usd <usd>', 'most the teachers may cost; overrides the file', realNumber)
    .option('--yes', 'spend without a limit')
    .option('--ignore-memory', 'train even where the memory planned is more than the machine has')
    .option('--json', 'print one JSON document')
    .action(run);
}

interface RunFlags {
  readonly out?: string;
  readonly budgetUsd?: number;
  readonly yes?: boolean;
  readonly ignoreMemory?: boolean;
  readonly json?: boolean;
}

async function run(file: string, { out, budgetUsd, yes, ignoreMemory, json }: RunFlags): Promise<void> {
  const { mapModels, readRunConfig } = await import('../../recipes/run-input.ts');
  const { mappedText } = await import('../../src/run/aliases.ts');
  const onMapped: ParseOptions['onMapped'] = (mapped) => say(mappedText(mapped));
  const named = await readRunConfig(file, { output: out, budgetUsd }, { onMapped });
  const config = await interruptible((signal) => mapModels(named, (model) => fetchModel(model, signal)));
  await ensureNative(); // stages are named by the content of the models they use
  const { withRunContext } = await import('../run-context.ts');
  const chain = await import('../../recipes/run.ts');
  const { headlineRows, headlineText } = await import('../../src/report/headline.ts');
  const result = await withRunContext({ ...config, yes }, (context) => chain.run(config, context, { ignoreMemory }));
  if (json) return printJson(result);
  print(headlineText(headlineRows(result.summary)));
  print(`\nreport: ${result.report}\nmodel:  ${result.model}`);
}
