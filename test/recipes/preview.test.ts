import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseHTML } from 'linkedom';
import { expect, it } from 'vitest';
import { thisMachine } from '../../recipes/plan-target.ts';
import { planSchema, planTrain } from '../../recipes/plan-train.ts';
import { run as preview } from '../../recipes/preview.ts';
import { readConversations } from '../../src/data/formats.ts';
import { encodeDocuments } from '../../src/data/pack.ts';
import { loadChatTemplate } from '../../src/text/chat-template.ts';
import { loadTokenizer } from '../../src/text/tokenizer.ts';
import { configFor, dataFile, goldenModel, scratch, sums, train } from './sft-run.ts';

const template = join(scratch, 'turns.jinja');
writeFileSync(
  template,
  `{% for message in messages %}{{ '<|turn|>' + message['role'] + message['content'] + '<|done|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|turn|>assistant' }}{% endif %}`,
);

it('shows, and plans for, the very ids and labels that training with added tokens has', async () => {
  const model = goldenModel('llama-tied');
  const data = [dataFile('sums', sums(5))];
  const addTokens = ['<|turn|>', '<|im_end|>', '<|done|>'];
  const settings = { model, data, template, addTokens, epochs: 1 };
  const page = join(scratch, 'page.html');
  const notes: string[] = [];
  const receipt = preview({ ...settings, maxTokens: 1024, rows: 99 }, page, (text) => notes.push(text));
  const config = configFor('student', settings);
  const { result, notes: trainingNotes } = await train(config);

  expect(result.receipt).toEqual(receipt);
  expect(notes).toEqual([
    'added to the vocabulary: <|turn|> (259), <|done|> (260)',
    'in the vocabulary already, left as they are: <|im_end|>',
  ]);
  for (const note of notes) expect(trainingNotes).toContain(note);

  // The student is saved with the tokenizer and the template that it was trained with.
  const tokenizer = loadTokenizer(result.model);
  const learned = loadChatTemplate(result.model, tokenizer);
  const conversations = data.flatMap((file) => readConversations(file));
  const { documents } = encodeDocuments(conversations, tokenizer, learned, 1024);
  const { document } = parseHTML(readFileSync(page, 'utf8'));
  const shown = [...document.querySelectorAll('article')].map((article) =>
    [...article.querySelectorAll('.tokens .t')].map((span) => [
      Number(span.getAttribute('title')),
      span.classList.contains('trained') ? 1 : 0,
    ]),
  );
  expect(shown).toEqual(documents.map(({ ids, labelMask }) => ids.map((id, i) => [id, labelMask[i]])));
  expect(shown.flat().filter(([id]) => id === 260)).toHaveLength(10);

  const { training } = planTrain(planSchema.parse(config), thisMachine());
  expect(training).toEqual({ steps: result.steps, tokens: result.trainedTokens });
});
