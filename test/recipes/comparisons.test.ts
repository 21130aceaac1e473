import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { planComparisons } from '../../recipes/comparisons.ts';
import { trainingSchema } from '../../recipes/training-config.ts';
import { loadChatTemplate } from '../../src/text/chat-template.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { temporaryFolder } from '../teacher/fixtures/make.ts';

const model = join(import.meta.dirname, '../golden/llama-tied');
const tokenizer = loadTokenizer(model);
const loaded = { tokenizer, template: loadChatTemplate(model, tokenizer) };

/** What is told of a prompt whose answers have these texts and scores. */
function notesOf(...answers: readonly (readonly [content: string, score: number])[]): string[] {
  const file = join(temporaryFolder(), 'ranked.jsonl');
  writeFileSync(
    file,
    `${JSON.stringify({ prompt: 'Say it.', answers: answers.map(([content, score]) => ({ content, score })) })}\n`,
  );
  const config = trainingSchema.parse({ model, data: [file], output: 'unused', epochs: 1 });
  const notes: string[] = [];
  planComparisons(config, loaded, { emit: (event) => event.kind === 'note' && notes.push(event.text) });
  return notes;
}

it('says how many twos of answers teach nothing, and why', () => {
  expect(notesOf(['good', 9], ['fine', 9], ['bad', 2])).toEqual([
    '1 of 1 prompts kept, with 2 pairs (1 ties say nothing), 0 prompts held out, 1 steps',
  ]);
  expect(notesOf(['good', 9], ['bad', 2], ['good', 2])).toEqual([
    '1 of 1 prompts kept, with 1 pairs (1 ties and 1 of equal text say nothing), 0 prompts held out, 1 steps',
  ]);
});
