/**
 * A model on this machine that scores answers by its mean log-probability of their tokens and of the token that ends the turn,
 * in nats: a scorer without a key and without a prompt. It is asked as a teacher is, so that scores are in the ledger: what
 * is there is not computed again, and every score leads to its row. Its requests end with the answer itself, its answers
 * are `{"sum", "tokens"}`. A likely answer is not a good one, and one that was cut pays for an end it never had: what such
 * scores are worth is for a held-out judge to say.
 */
import { invariant, TeacherError } from '../src/base/errors.ts';
import type { Message } from '../src/base/message.ts';
import type { Scorer } from '../src/evaluate/scorer.ts';
import type { Scoring } from '../src/generate/feedback.ts';
import type { Teacher } from '../src/teacher/teacher.ts';

/** Answers scored by one call of the engine: an interrupted run loses no more. */
const batchSize = 64;

export function scorerTeacher(scorer: Scorer): Teacher {
  const name = `logprob:${scorer.name}`;
  return {
    name,
    model: name,
    paid: false,
    price: undefined,
    batchSize,
    concurrency: 1,
    probe: async () => {},
    async ask(requests, { signal }) {
      const scores = await scorer.score(
        requests.map(({ messages }) => messages),
        { signal },
      );
      return scores.map(({ sum, tokens }) => {
        if (!Number.isFinite(sum) || tokens === 0)
          return new TeacherError(`expected a finite log-probability of an answer, got ${sum} for ${tokens} tokens`, {
            hint: 'the model that scores is broken: look whether its loss stayed finite in training',
          });
        const text = JSON.stringify({ sum, tokens });
        return { text, finishReason: 'stop', usage: undefined, raw: { sum, tokens } };
      });
    },
    close: async () => {},
  };
}

/**
 * Each answer by itself, in its prompt's place: the order decides nothing. `examples`: turns that are shown before the
 * prompts of a language.
 */
export const logprobScoring = (
  model: string,
  examples: (language: string) => readonly Message[] = () => [],
): Scoring => ({
  tasks: (group) => group.candidates.map((_, place) => ({ group, verdict: 0, shown: [place] })),
  request({ group, shown }) {
    const content = group.candidates[shown[0] as number]?.content as string;
    const messages = [...examples(group.language), ...group.prompt, { role: 'assistant', content } as const];
    return { model, messages, parameters: { maxTokens: 1 }, sample: 0 };
  },
  read(text) {
    const { sum, tokens } = JSON.parse(text) as { sum: number; tokens: number };
    return [{ score: sum / tokens, reason: '' }];
  },
  complaint: () => {
    invariant(false, 'a log-probability can be read');
  },
});
