import { type Command, command } from '../command.ts';
import { printJson, say } from '../terminal.ts';

export function runCommand(): Command {
  return command('run', 'the whole chain of a file: data, fine-tuning, evaluation, report; goes on where it stopped', [
    'run examples/demo.yaml',
    'run understudy.yaml --budget-usd 20',
  ])
    .argument('[file]', 'settings', 'understudy.yaml')
    .option('--budget-usd <usd>', 'most the teachers may cost; overrides the file', Number)
    .option('--yes', 'spend without a limit')
    .option('--json', 'print one JSON document')
    .action(run);
}

async function run(file: string, flags: { budgetUsd?: number; yes?: boolean; json?: boolean }): Promise<void> {
  const { readRunConfig } = await import('../../recipes/run-input.ts');
  const config = readRunConfig(file, flags.budgetUsd === undefined ? {} : { budgetUsd: flags.budgetUsd });
  const { withRunContext } = await import('../run-context.ts');
  const chain = await import('../../recipes/run.ts');
  const { headlineRows, headlineText } = await import('../../src/report/headline.ts');
  const result = await withRunContext({ ...config, yes: flags.yes }, (context) => chain.run(config, context));
  if (flags.json) return printJson(result);
  say('');
  say(headlineText(headlineRows(result.summary)));
  say(`\nreport: ${result.report}\nmodel:  ${result.model}`);
}
