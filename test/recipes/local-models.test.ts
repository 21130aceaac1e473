import { expect, test } from 'vitest';
import { teacherIdentity } from '../../recipes/local-models.ts';
import { teacherConfigSchema } from '../../src/teacher/open-teacher.ts';

const identityOf = (settings: object) =>
  teacherIdentity(teacherConfigSchema.parse({ provider: 'openai', model: 'gpt-x', ...settings }));

test('a teacher is another one by what decides its answers, not by how it is asked or what it costs', async () => {
  const plain = await identityOf({});
  const price = { inputUsdPerMillion: 1, outputUsdPerMillion: 2 };
  for (const settings of [
    { batch: true },
    { batch: { maxRequests: 10 } },
    { price },
    { prices: 'prices.json' },
    { concurrency: 64 },
    { requestsPerMinute: 10, tokensPerMinute: 10 },
    { timeoutSeconds: 10 },
    { apiKeyEnv: 'OTHER_KEY' },
  ]) {
    expect(await identityOf(settings), JSON.stringify(settings)).toEqual(plain);
  }
  expect(await identityOf({ model: 'gpt-y' })).not.toEqual(plain);
  expect(await identityOf({ provider: 'anthropic' })).not.toEqual(plain);
  const elsewhere = await identityOf({ baseUrl: 'http://user:secret@localhost:1/v1' });
  expect(elsewhere).not.toEqual(plain);
  expect(JSON.stringify(elsewhere)).not.toContain('secret');
});
