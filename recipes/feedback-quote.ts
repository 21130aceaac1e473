/** What comparison data can cost at most, as quote.ts plans: every answer and every verdict as long as it may be. */
import type { CandidateGroup, Scoring } from '../src/generate/feedback.ts';
import { type DuelSettings, duelRequests } from '../src/generate/feedback-ties.ts';
import { costUsd, upperBoundUsd } from '../src/teacher/prices.ts';
import type { Teacher } from '../src/teacher/teacher.ts';
import { type Answerer, answerRequest } from './feedback-answers.ts';
import type { PromptRow } from './feedback-input.ts';
import type { RecordedFile } from './feedback-recorded.ts';
import type { PlannedCalls } from './quote.ts';

interface Planned {
  readonly answerers: readonly Answerer[];
  readonly recorded: readonly RecordedFile[];
  readonly teacher: Teacher;
  readonly scoring: Scoring;
  /** Where ties are re-judged: as many as there can be. */
  readonly duels?: DuelSettings | undefined;
}

/** Nothing is counted where nobody is paid. */
export async function plannedFeedback(
  prompts: () => AsyncIterable<PromptRow>,
  { answerers, recorded, teacher, scoring, duels }: Planned,
): Promise<{ readonly teacher: Teacher; readonly calls: readonly PlannedCalls[] }[]> {
  if (![teacher, ...answerers.map(({ opened }) => opened)].some(({ paid }) => paid)) return [];
  const answering = answerers.map(({ opened }) => new Sum(opened));
  const scores = new Sum(teacher);
  const ties = new Sum(teacher);
  const duel = duels && duelRequests(teacher.model, duels);
  for await (const prompt of prompts()) {
    const sizes = [...prompt.answers, ...recorded.flatMap((file) => file.answersTo(prompt))].map(({ text }) =>
      Buffer.byteLength(text),
    );
    for (const [i, answerer] of answerers.entries()) {
      for (let sample = 0; sample < answerer.samples; sample++) {
        answering[i]?.add(answerRequest(prompt.messages, answerer, sample));
        sizes.push(answerer.maxTokens);
      }
    }
    if (sizes.length < 2) continue;
    // Texts that are not there yet count by their length.
    const candidates = sizes.map(() => ({ content: '', source: '', calls: [] }));
    const group: CandidateGroup = { ...prompt, prompt: prompt.messages, candidates };
    for (const task of scoring.tasks(group)) {
      const unknown = task.shown.reduce((sum, place) => sum + (sizes[place] as number), 0);
      scores.add(scoring.request(task), unknown);
    }
    if (!duel) continue;
    const [first = 0, second = 0] = sizes.toSorted((a, b) => b - a);
    const empty = candidates.map((one) => ({ ...one, verdicts: [] }));
    const request = duel({
      group: { ...group, candidates: empty, calls: [], requests: 0, unread: [] },
      places: [0, 1],
    });
    ties.add(request, first + second, sizes.length * (sizes.length - 1));
  }
  return [
    ...answering.map((sum, i) => ({ teacher: (answerers[i] as Answerer).opened, calls: [sum.planned()] })),
    { teacher, calls: [scores.planned(), ...(duel ? [ties.planned()] : [])] },
  ];
}

class Sum {
  readonly #price: Teacher['price'];
  #calls = 0;
  #boundUsd = 0;

  constructor({ price }: Pick<Teacher, 'price'>) {
    this.#price = price;
  }

  /** `unknownTokens`: what its prompt may have besides what stands in it. */
  add(request: Parameters<typeof upperBoundUsd>[1], unknownTokens = 0, times = 1): void {
    this.#calls += times;
    if (!this.#price) return;
    const unknown = costUsd(this.#price, { inputTokens: unknownTokens, outputTokens: 0 });
    this.#boundUsd += times * (upperBoundUsd(this.#price, request) + unknown);
  }

  planned = (): PlannedCalls => ({ calls: this.#calls, boundUsd: this.#price && this.#boundUsd });
}
