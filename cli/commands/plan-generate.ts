import type { AnswersPlan, Estimate } from '../../recipes/plan-answers.ts';
import { usd } from '../../src/teacher/spending.ts';
import { type Command, command, positiveNumber, wholeNumber } from '../command.ts';
import { print, printJson } from '../terminal.ts';
import { splitTeacherFlags, type TeacherFlags, withAnswers, withTeacher } from './generate.ts';

interface PlanFlags extends TeacherFlags {
  readonly data: string[];
  readonly pilot: number;
  readonly seed: number;
}

export const planGenerateCommand = (): Command =>
  withAnswers(
    withTeacher(
      command('generate', 'what answering given tasks will cost and take, by a pilot whose answers are kept', [
        'plan generate --data alpaca.json --provider openai --model gpt-4.1-mini --budget-usd 1 --out answered',
      ]),
    ),
  )
    .option(
      '--pilot <n>',
      'tasks asked first; they are bought once and found by `generate answers`',
      positiveNumber,
      32,
    )
    .option('--seed <n>', 'of the pilot', wholeNumber, 1)
    .action(planGenerate);

async function planGenerate(flags: PlanFlags): Promise<void> {
  const { teacher, json, context, settings } = splitTeacherFlags(flags);
  const { data, pilot, seed, ...rest } = settings as { data: string[]; pilot: number; seed: number };
  const { answerSchema } = await import('../../recipes/generate-config.ts');
  const { parseConfig } = await import('../../src/run/config.ts');
  const { streamTasks } = await import('../../src/data/tasks.ts');
  const config = parseConfig(answerSchema, { ...rest, teacher }, 'plan generate');
  const { withRunContext } = await import('../run-context.ts');
  const { planAnswers } = await import('../../recipes/plan-answers.ts');
  const plan = await withRunContext(context, (opened) =>
    planAnswers(config, () => streamTasks(data), { pilot, seed }, opened),
  );
  if (json) printJson(plan);
  else show(plan);
}

function show(plan: AnswersPlan): void {
  const { tasks, stored, pilot, inputTokens, inputTokensBy, outputTokens, seconds, concurrency, rates, batch } = plan;
  const line = (name: string, text: string) => print(`${name.padEnd(16)} ${text}`);
  line('tasks', `${tasks}${stored > 0 ? `, ${stored} of them answered already` : ''}`);
  line('pilot', `${pilot.answered} of ${pilot.asked} answered, ${pilot.cut} cut, ${usd(pilot.usd)}`);
  const how = inputTokensBy === 'pilot' ? 'by what the pilot’s had to a byte' : `counted by ${inputTokensBy}`;
  line('prompt tokens', `${between(inputTokens, whole)}, ${how}`);
  line('answer tokens', between(outputTokens, whole));
  const price = (cost: Estimate | undefined) => (cost ? between(cost, usd) : 'not known: give it with --prices');
  if (plan.paid) line('price', price(plan.usd));
  const limits = [
    `${whole(concurrency)} calls at once`,
    ...(rates.requestsPerMinute === undefined ? [] : [`${whole(rates.requestsPerMinute)} requests a minute`]),
    ...(rates.tokensPerMinute === undefined ? [] : [`${whole(rates.tokensPerMinute)} tokens a minute`]),
  ];
  line('time', `${between(seconds, time)} with ${limits.join(', ')}`);
  if (!batch) return;
  if (plan.paid) line('in batches', `${price(batch.usd)}, with --batch`);
  line(plan.paid ? '' : 'in batches', `up to ${batch.mostSeconds / 3600} h: what the provider promises, with --batch`);
}

const between = ({ mean, low, high }: Estimate, text: (value: number) => string): string =>
  low === high ? text(mean) : `${text(mean)} (95 %: ${text(low)} to ${text(high)})`;

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

const time = (seconds: number): string => {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
};
