import type { AutomaticSummary, CheckedByLanguage, LossSummary } from '../../src/evaluate/automatic-summary.ts';
import { type Command, command, deviceOption, fetchModel, modelFolder, positiveNumber } from '../command.ts';
import { bold, print, printJson, say } from '../terminal.ts';
import { diversityLines } from './evaluate-diversity.ts';

interface AutomaticFlags {
  readonly against?: string;
  readonly data?: string;
  readonly questions?: string[];
  readonly answers?: string;
  readonly out: string;
  readonly maxTokens: number;
  readonly threads?: number;
  readonly device?: string;
  readonly json?: boolean;
}

export function automaticCommand(): Command {
  return command('automatic', 'a model without a judge: held-out loss, questions that can be checked, what it forgot', [
    'evaluate automatic my-student --against builtin --data held-out.jsonl --out automatic',
    'evaluate automatic builtin --out automatic --json',
  ])
    .argument('<model>', 'a Hugging Face folder, a folder of adapters, org/name on the hub, or builtin')
    .option(
      '--against <model>',
      'a second one, such as the model before training: what changed, and what was forgotten',
    )
    .option(
      '--data <file>',
      'held-out conversations for loss, perplexity and bits per byte: Alpaca, ShareGPT, messages or OpenAI rows',
    )
    .option('--questions <files...>', 'checkable questions (default: ours, English and Chinese)')
    .option('--answers <file>', 'answers whose diversity is counted beside it')
    .requiredOption(
      '--out <folder>',
      'loss.jsonl, exact.jsonl, choice.jsonl: the rows behind the figures; summary.json',
    )
    .option('--max-tokens <n>', 'longest answer to a checkable question', positiveNumber, 32)
    .addOption(deviceOption())
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document')
    .action(automatic);
}

async function automatic(name: string, flags: AutomaticFlags): Promise<void> {
  const { join } = await import('node:path');
  const { assetsFolder } = await import('../../src/base/paths.ts');
  const { readConversations } = await import('../../src/data/formats.ts');
  const { readCheckable } = await import('../../src/evaluate/checkable.ts');
  const { checkModel } = await import('../../recipes/sft-input.ts');
  const recipe = await import('../../recipes/automatic.ts');
  const { against, data, answers, out, maxTokens, threads, device, json } = flags;
  const ours = ['en', 'zh'].map((language) => join(assetsFolder, 'questions', `checkable-${language}.jsonl`));
  const config = { data, questions: flags.questions ?? ours, answers, maxTokens };
  const models = [name, ...(against === undefined ? [] : [against])].map(modelFolder);
  for (const model of models) checkModel(model);
  readCheckable(config.questions);
  if (data !== undefined) readConversations(data);
  if (answers !== undefined) recipe.diversityOf(answers);
  const { withRunContext } = await import('../run-context.ts');
  const summary = await withRunContext({ output: out, threads, device }, async (context) => {
    const fetched: string[] = [];
    for (const model of models) fetched.push(await fetchModel(model, context.signal));
    const [model, other] = fetched as [string, string?];
    return recipe.run(config, { model, against: other }, out, context);
  });
  if (json) return printJson(summary);
  await printSummary(summary);
  say(`rows behind the figures: ${out}`);
}

async function printSummary(summary: AutomaticSummary): Promise<void> {
  const { languageName, plural } = await import('../../src/report/format.ts');
  const { model, against, loss, tooLong, forgetting, diversity } = summary;
  print(bold(against === undefined ? model : `${model} against ${against}`));
  if (loss) {
    for (const [language, one] of Object.entries(loss)) await printLoss(languageName(language), one);
    if (tooLong.length > 0) {
      const more = tooLong.length > 5 ? ', …' : '';
      print(
        `left out, longer than the model’s positions: ${plural(tooLong.length, 'conversation')} (${tooLong.slice(0, 5).join(', ')}${more})`,
      );
    }
  }
  await printChecked('short answers, exact', summary.exact);
  await printChecked('short answers, contained', summary.contained);
  await printChecked('choice, by log-probability', summary.choice);
  await printChecked('choice, per byte', summary.choicePerByte);
  for (const { measure, words } of forgetting ?? []) print(`\nforgot? ${measure}: ${words}`);
  if (diversity) for (const line of await diversityLines(diversity)) print(line);
}

async function printLoss(language: string, { model, against, difference }: LossSummary): Promise<void> {
  const { count, fixed, interval, plural, signed } = await import('../../src/report/format.ts');
  const tokens = `${plural(model.loss.n, 'conversation')}, ${count(model.tokens)} tokens, ${count(model.bytes)} bytes`;
  print(`\n${language}, held out: ${tokens}`);
  const line = (name: string, figure: typeof model) =>
    print(
      `  ${name.padEnd(10)} ${fixed(figure.loss.mean, 3)} nats a token, perplexity ${fixed(figure.perplexity.mean, 2)}, ${fixed(figure.bitsPerByte.mean, 4)} bits a byte (${fixed(figure.bitsPerByte.low, 4)} to ${fixed(figure.bitsPerByte.high, 4)})`,
    );
  line('model', model);
  if (!against || !difference) return;
  line('against', against);
  const { bitsPerByte } = difference;
  print(`  difference ${signed(bitsPerByte.mean, 4)} bits a byte (${interval(bitsPerByte, 4)})`);
}

async function printChecked(name: string, checked: CheckedByLanguage): Promise<void> {
  const { fixed, languageName, interval, share, signed } = await import('../../src/report/format.ts');
  const { all, ...languages } = checked;
  if (!all) return;
  print(`\n${name}`);
  const entries = Object.entries(languages);
  for (const [language, one] of [...entries, ...(entries.length > 1 ? [['all', all] as const] : [])]) {
    const { n, model, against, comparison, chance } = one;
    const right = (mean: number) => share(Math.round(mean * n), n);
    const blind = chance === undefined ? '' : `; blind choice ${fixed(100 * chance, 0)} %`;
    const between =
      against && comparison
        ? `; against ${right(against.mean)}, difference ${signed(100 * comparison.difference.mean, 1)} points (${interval(scaled(comparison.difference), 1)})`
        : ` (${fixed(100 * model.low, 1)} to ${fixed(100 * model.high, 1)} %)`;
    print(`  ${languageName(language).padEnd(8)} ${right(model.mean)}${between}${blind}`);
  }
}

const scaled = ({ mean, low, high, n }: { mean: number; low: number; high: number; n: number }) => {
  return { mean: 100 * mean, low: 100 * low, high: 100 * high, n };
};
