import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { requestKey } from '../../src/teacher/request-key.ts';
import type { TeacherRequest } from '../../src/teacher/teacher.ts';

const request: TeacherRequest = {
  model: 'm',
  messages: [{ role: 'user', content: 'Grüße' }],
  parameters: { maxTokens: 5, temperature: 0.5 },
  sample: 0,
};

test('is the SHA-256 of the canonical JSON, written out by hand', () => {
  const json =
    '{"messages":[{"content":"Grüße","role":"user"}],"model":"m","parameters":{"maxTokens":5,"temperature":0.5},"sample":0}';
  expect(requestKey(request)).toBe(createHash('sha256').update(json).digest('hex'));
});

test('does not depend on the order of members, on undefined ones, or on anything else a request carries', () => {
  const reordered = {
    stage: 'judge',
    sample: 0,
    parameters: { seed: undefined, temperature: 0.5, maxTokens: 5 },
    messages: [{ content: 'Grüße', role: 'user' }],
    model: 'm',
  } as unknown as TeacherRequest;
  expect(requestKey(reordered)).toBe(requestKey(request));
});

test('depends on each of model, messages, parameters and sample', () => {
  const others: TeacherRequest[] = [
    { ...request, model: 'n' },
    { ...request, messages: [{ role: 'system', content: 'Grüße' }] },
    { ...request, messages: [...request.messages, { role: 'assistant', content: '' }] },
    { ...request, parameters: { maxTokens: 5 } },
    { ...request, parameters: { maxTokens: 5, temperature: 0.5, stop: [] } },
    { ...request, sample: 1 },
  ];
  expect(new Set([request, ...others].map(requestKey)).size).toBe(7);
});
