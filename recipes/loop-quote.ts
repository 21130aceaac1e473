/** What the rounds' teachers can be asked and cost at most, known before the first stage of the run: the longest prompts, all answers as long as they may be. */
import { guessLanguage } from '../src/data/guess-language.ts';
import { type Prompt, readPrompts } from '../src/data/prompts.ts';
import { teacherScoring } from '../src/generate/feedback.ts';
import type { TeacherConfig } from '../src/teacher/open-teacher.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { defaultVerdicts } from './feedback-config.ts';
import type { PromptRow } from './feedback-input.ts';
import { plannedFeedback } from './feedback-quote.ts';
import { type LoopConfig, scoringOf } from './loop-config.ts';
import type { PlannedCalls } from './quote.ts';
import { longestFirst, plannedRewards } from './rl-rewards.ts';

interface Plan {
  readonly teacher: Teacher;
  readonly calls: readonly PlannedCalls[];
}

export async function plannedLoop(
  config: LoopConfig,
  seeds: readonly string[],
  open: (config: TeacherConfig) => Promise<Teacher>,
): Promise<Plan[]> {
  const prompts = longestFirst(config.prompts.flatMap((file) => readPrompts(file)));
  const rewards = await plannedRewards(config.rl, prompts, open);
  const scores =
    config.scorer === 'judge' ? await plannedScores(config, seeds, prompts, await open(config.teacher)) : [];
  const ofRound = [...scores, ...rewards];
  return [...new Set(ofRound.map(({ teacher }) => teacher))].map((teacher) => {
    const own = ofRound.filter((plan) => plan.teacher === teacher).flatMap(({ calls }) => calls);
    return { teacher, calls: Array.from({ length: config.rounds }, () => own).flat() };
  });
}

/** Of a round: the policy's answers compared, and the answers before and after checked. */
async function plannedScores(
  config: LoopConfig,
  seeds: readonly string[],
  prompts: readonly Prompt[],
  teacher: Teacher,
): Promise<Plan[]> {
  const { samples, temperature, maxTokens, heldOut, promptsPerRound } = config;
  const feedback = scoringOf(config, seeds);
  const { atOnce, verdictTokens, seed } = feedback;
  const settings = { verdicts: defaultVerdicts(feedback), atOnce, temperature: 1, maxTokens: verdictTokens, seed };
  const scoring = teacherScoring(teacher.model, settings);
  const duels = feedback.ties === 'head-to-head' ? { maxTokens: feedback.duelTokens } : undefined;
  const opened: Teacher = { ...teacher, paid: false, price: undefined };
  const policy = (name: string) => {
    return { name, teacher: config.teacher, samples, temperature, maxTokens, opened };
  };
  const common = { recorded: [], teacher, scoring, duels };
  const ofRound = prompts.slice(0, promptsPerRound ?? Math.max(0, prompts.length - heldOut));
  const plans = [
    await plannedFeedback(rowsOf(ofRound), { ...common, answerers: [policy('policy')] }),
    await plannedFeedback(rowsOf(prompts.slice(0, heldOut)), {
      ...common,
      answerers: [policy('before'), policy('after')],
    }),
  ].flat();
  return plans.filter((plan) => plan.teacher === teacher);
}

const rowsOf = (prompts: readonly Prompt[]) =>
  async function* (): AsyncGenerator<PromptRow> {
    for (const [place, { id, messages }] of prompts.entries()) {
      const asked = messages.at(-1)?.content ?? '';
      yield { id, key: id, place, asked, file: '', row: place, messages, language: guessLanguage(asked), answers: [] };
    }
  };
