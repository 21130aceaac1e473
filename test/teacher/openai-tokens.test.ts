import { expect, test } from 'vitest';
import { encodingOf, loadTokenCounter } from '../../src/teacher/openai-tokens.ts';

test('texts have as many tokens as OpenAI’s cookbook says ("How to count tokens with tiktoken")', async () => {
  const texts = ['tiktoken is great!', 'antidisestablishmentarianism', '2 + 2 = 4', 'お誕生日おめでとう'];
  expect(texts.map(await loadTokenCounter('cl100k_base'))).toEqual([6, 6, 7, 9]);
  expect(texts.map(await loadTokenCounter('o200k_base'))).toEqual([6, 6, 7, 8]);
});

test('what looks like a special token is text, and a long word takes no time', async () => {
  const count = await loadTokenCounter('o200k_base');
  expect(count('<|endoftext|>')).toBeGreaterThan(1);
  expect(count('a'.repeat(20_000))).toBe(2500);
});

test('the encoding goes by the name of the model', () => {
  for (const model of ['gpt-4', 'gpt-4-turbo', 'gpt-3.5-turbo', 'openai/gpt-4', 'ft:gpt-3.5-turbo:org'])
    expect(encodingOf(model), model).toBe('cl100k_base');
  for (const model of ['gpt-4o', 'gpt-4o-mini', 'gpt-4.1-mini', 'gpt-5-nano', 'o3', 'o4-mini', 'chatgpt-4o-latest'])
    expect(encodingOf(model), model).toBe('o200k_base');
  for (const model of ['claude-haiku-4-5', 'm', 'meta-llama/Llama-3', 'orca-2', 'opt-125m'])
    expect(encodingOf(model), model).toBeUndefined();
});
