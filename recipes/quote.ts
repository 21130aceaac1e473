/**
 * What a teacher's calls can cost at most, said before any is made: prompts as they will be, where they are known, and
 * every answer as long as it may be. An upper bound, not an estimate; stored answers, which cost nothing again, are
 * counted as well.
 */
import { ConfigError } from '../src/base/errors.ts';
import { alpacaPrompt, type Question, readQuestions, type Seed } from '../src/data/formats.ts';
import { streamTasks } from '../src/data/tasks.ts';
import { planJudgeRequests } from '../src/evaluate/judge.ts';
import { planAnswerRequests } from '../src/generate/answers.ts';
import { planInstructionRequests } from '../src/generate/instructions.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import { costUsd, upperBoundUsd } from '../src/teacher/prices.ts';
import { usd } from '../src/teacher/spending.ts';
import type { Teacher, TeacherRequest } from '../src/teacher/teacher.ts';
import type { RunContext } from './context.ts';
import { chooseQuestions } from './evaluate.ts';
import type { AnswerConfig, GenerateConfig } from './generate-config.ts';
import type { RunConfig } from './run-config.ts';
import { plannedSelfInstruct } from './self-instruct.ts';
import { shownExamples } from './shown-examples.ts';

export interface PlannedCalls {
  readonly calls: number;
  /** The most they can cost together; undefined where the price is not known. */
  readonly boundUsd: number | undefined;
}

/** `unknownTokens`: what a request's prompt may have besides what stands in it, texts that are not written yet. */
export function planned(
  { price }: Pick<Teacher, 'price'>,
  requests: readonly TeacherRequest[],
  unknownTokens = 0,
): PlannedCalls {
  if (!price) return { calls: requests.length, boundUsd: undefined };
  const unknown = costUsd(price, { inputTokens: unknownTokens, outputTokens: 0 });
  return {
    calls: requests.length,
    boundUsd: requests.reduce((sum, request) => sum + upperBoundUsd(price, request) + unknown, 0),
  };
}

/** Unknown where any is. */
function together(plans: readonly PlannedCalls[]): PlannedCalls {
  const bounds = plans.map(({ boundUsd }) => boundUsd);
  const isKnown = bounds.every((bound) => bound !== undefined);
  return {
    calls: plans.reduce((sum, { calls }) => sum + calls, 0),
    boundUsd: isKnown ? bounds.reduce((sum: number, bound) => sum + (bound as number), 0) : undefined,
  };
}

/**
 * Answers to tasks in any number, which are not held. Where tasks are translated first, a translation is a call too, and
 * makes a prompt that is not known yet.
 */
export async function plannedAnswers(
  tasks: () => AsyncIterable<{ readonly instruction: string; readonly input: string }>,
  { maxTokens }: Pick<AnswerConfig, 'maxTokens'>,
  teacher: Teacher,
  translationTokens?: number,
): Promise<PlannedCalls> {
  const { model } = teacher;
  let sum: PlannedCalls = { calls: 0, boundUsd: 0 };
  for await (const { instruction, input } of tasks()) {
    const text = alpacaPrompt(instruction, input);
    const ask = (most: number) => planAnswerRequests([{ text }], { model, maxTokens: most, temperature: 0 });
    const translation = translationTokens === undefined ? [] : [planned(teacher, ask(translationTokens), promptTokens)];
    sum = together([sum, ...translation, planned(teacher, ask(maxTokens), translationTokens)]);
  }
  return sum;
}

/** More than the words around a task that is to be translated. */
const promptTokens = 1024;

export function plannedGeneration(config: GenerateConfig, seeds: readonly Seed[], teacher: Teacher): PlannedCalls[] {
  if (config.style === 'self-instruct') return plannedSelfInstruct(config, seeds, teacher);
  const { model } = teacher;
  return config.languages.flatMap((language) => {
    const plan = { ...config, seeds, language, model, maxTokens: config.instructionTokens };
    const instructions = planInstructionRequests(plan);
    const examples = shownExamples(seeds, language, config.answerExamples, config.seed);
    const unwritten = instructions.map(() => ({ text: '' }));
    const settings = { model, maxTokens: config.answerTokens, temperature: 0, examples };
    return [
      planned(teacher, instructions),
      planned(teacher, planAnswerRequests(unwritten, settings), config.instructionTokens),
    ];
  });
}

function plannedVerdicts(
  { maxTokens, judgeTokens, judgeExamples, perLanguage, judgePerLanguage }: RunConfig['evaluate'],
  questions: readonly Question[],
  teacher: Teacher,
): PlannedCalls {
  const judged = chooseQuestions(chooseQuestions(questions, perLanguage), judgePerLanguage);
  const unanswered = judged.map((question) => ({ ...question, before: '', after: '' }));
  const settings = { model: teacher.model, maxTokens: judgeTokens, examples: judgeExamples };
  return planned(teacher, planJudgeRequests(unanswered, settings), 2 * maxTokens);
}

/** Every configured teacher with what it will be asked. */
export async function plannedRun(
  config: RunConfig,
  seeds: readonly Seed[],
  open: (config: TeacherConfig) => Promise<Teacher>,
): Promise<{ teacher: Teacher; calls: PlannedCalls[] }[]> {
  const { answer, translate, generate, evaluate } = config;
  const plans = [];
  for (const given of [answer, translate]) {
    if (!given) continue;
    const teacher = await open(given.teacher);
    const translationTokens = given === translate ? translate.translationTokens : undefined;
    const calls = await plannedAnswers(() => streamTasks(given.instructions), given, teacher, translationTokens);
    plans.push({ teacher, calls: [calls] });
  }
  if (generate) {
    const teacher = await open(generate.teacher);
    plans.push({ teacher, calls: plannedGeneration(generate, seeds, teacher) });
  }
  if (evaluate.judge) {
    const teacher = await open(evaluate.judge);
    plans.push({ teacher, calls: [plannedVerdicts(evaluate, readQuestions(evaluate.questions), teacher)] });
  }
  return plans;
}

/**
 * Throws a ConfigError with the quote where a teacher costs money and there is neither a budget nor a confirmation;
 * shows the quote where spending without a budget was confirmed.
 */
export function assertMaySpend(
  plans: readonly { readonly teacher: Teacher; readonly calls: readonly PlannedCalls[] }[],
  { budgetUsd, yes, progress }: Pick<RunContext, 'budgetUsd' | 'yes' | 'progress'>,
): void {
  for (const { teacher, calls } of plans) {
    if (!teacher.paid) continue;
    if (budgetUsd !== undefined) {
      if (teacher.price !== undefined) continue;
      throw new ConfigError(
        `the price of ${teacher.name} is not known, so a budget of ${usd(budgetUsd)} cannot be kept`,
        {
          hint: 'give the teacher a price: {inputUsdPerMillion, outputUsdPerMillion}; 0 for a server that costs nothing',
        },
      );
    }
    const quote = `${teacher.name} costs money: ${describe(together(calls))}`;
    if (!yes) {
      throw new ConfigError(quote, {
        hint: 'set --budget-usd (budgetUsd) to the most it may cost, or confirm with --yes',
      });
    }
    progress('spending').note(quote);
  }
}

const describe = ({ calls, boundUsd }: PlannedCalls): string =>
  boundUsd === undefined
    ? `${calls} calls at a price that is not known (give one: inputUsdPerMillion, outputUsdPerMillion)`
    : `${calls} calls, ${usd(boundUsd)} at the very most`;
