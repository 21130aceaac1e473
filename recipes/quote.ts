/**
 * What a teacher's calls can cost at most, said before any is made: prompts as they will be, where they are known, and
 * every answer as long as it may be. An upper bound, not an estimate; stored answers, which cost nothing again, are
 * counted as well.
 */
import { ConfigError } from '../src/base/errors.ts';
import { alpacaPrompt, type Question, readQuestions, readSeeds, type Seed } from '../src/data/formats.ts';
import { planJudgeRequests } from '../src/evaluate/judge.ts';
import { planAnswerRequests } from '../src/generate/answers.ts';
import { planInstructionRequests } from '../src/generate/instructions.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import { costUsd, upperBoundUsd } from '../src/teacher/prices.ts';
import { usd } from '../src/teacher/spending.ts';
import type { Price, Teacher, TeacherRequest } from '../src/teacher/teacher.ts';
import type { RunContext } from './context.ts';
import { chooseQuestions } from './evaluate.ts';
import type { GenerateConfig } from './generate-config.ts';
import type { RunConfig } from './run-config.ts';
import { shownExamples } from './shown-examples.ts';

export interface PlannedCalls {
  readonly requests: readonly TeacherRequest[];
  /** Tokens a request's prompt may have besides what stands in it: texts that are not written yet. */
  readonly unknownTokens: number;
}

const plannedAnswers = (tasks: readonly Seed[], maxTokens: number, model: string): PlannedCalls => {
  const texts = tasks.map(({ instruction, input }) => ({ text: alpacaPrompt(instruction, input) }));
  return { requests: planAnswerRequests(texts, { model, maxTokens, temperature: 0 }), unknownTokens: 0 };
};

export function plannedGeneration(config: GenerateConfig, seeds: readonly Seed[], model: string): PlannedCalls[] {
  return config.languages.flatMap((language) => {
    const plan = { ...config, seeds, language, model, maxTokens: config.instructionTokens };
    const instructions = planInstructionRequests(plan);
    const examples = shownExamples(seeds, language, config.answerExamples, config.seed);
    const unwritten = instructions.map(() => ({ text: '' }));
    const settings = { model, maxTokens: config.answerTokens, temperature: 0, examples };
    return [
      { requests: instructions, unknownTokens: 0 },
      { requests: planAnswerRequests(unwritten, settings), unknownTokens: config.instructionTokens },
    ];
  });
}

function plannedVerdicts(
  { maxTokens, judgeTokens, judgeExamples, perLanguage, judgePerLanguage }: RunConfig['evaluate'],
  questions: readonly Question[],
  model: string,
): PlannedCalls {
  const judged = chooseQuestions(chooseQuestions(questions, perLanguage), judgePerLanguage);
  const unanswered = judged.map((question) => ({ ...question, before: '', after: '' }));
  return {
    requests: planJudgeRequests(unanswered, { model, maxTokens: judgeTokens, examples: judgeExamples }),
    unknownTokens: 2 * maxTokens,
  };
}

/** Every configured teacher with what it will be asked. */
export async function plannedRun(
  config: RunConfig,
  seeds: readonly Seed[],
  open: (config: TeacherConfig) => Promise<Teacher>,
): Promise<{ teacher: Teacher; calls: PlannedCalls[] }[]> {
  const { answer, generate, evaluate } = config;
  const plans = [];
  if (answer) {
    const teacher = await open(answer.teacher);
    plans.push({ teacher, calls: [plannedAnswers(readSeeds(answer.instructions), answer.maxTokens, teacher.model)] });
  }
  if (generate) {
    const teacher = await open(generate.teacher);
    plans.push({ teacher, calls: plannedGeneration(generate, seeds, teacher.model) });
  }
  if (evaluate.judge) {
    const teacher = await open(evaluate.judge);
    plans.push({ teacher, calls: [plannedVerdicts(evaluate, readQuestions(evaluate.questions), teacher.model)] });
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
    const quote = `${teacher.name} costs money: ${describe(teacher.price, calls)}`;
    if (!yes) {
      throw new ConfigError(quote, {
        hint: 'set --budget-usd (budgetUsd) to the most it may cost, or confirm with --yes',
      });
    }
    progress('spending').note(quote);
  }
}

function describe(price: Price | undefined, calls: readonly PlannedCalls[]): string {
  const count = calls.reduce((sum, { requests }) => sum + requests.length, 0);
  if (price === undefined)
    return `${count} calls at a price that is not known (give one: inputUsdPerMillion, outputUsdPerMillion)`;
  const bound = calls.reduce((sum, { requests, unknownTokens }) => {
    const unknown = costUsd(price, { inputTokens: unknownTokens, outputTokens: 0 });
    return sum + requests.reduce((part, request) => part + upperBoundUsd(price, request) + unknown, 0);
  }, 0);
  return `${count} calls, ${usd(bound)} at the very most`;
}
