import { expect, it } from 'vitest';
import { checkSettings } from '../../recipes/sft-input.ts';

const fine = {
  stepInBackward: false,
  clip: 'global',
  maxGradNorm: 1,
  onNonFinite: 'stop',
  evalShare: 0,
  evalEverySteps: undefined,
  earlyStoppingPatience: undefined,
} as const;

it.each([
  [{ stepInBackward: true }, 'the norm of all gradients is known only when all are there'],
  [{ stepInBackward: true, clip: 'block', onNonFinite: 'skip' }, 'a batch cannot be skipped'],
  [{ evalEverySteps: 5 }, 'evalEverySteps: no rows are held out'],
  [{ earlyStoppingPatience: 2 }, 'earlyStoppingPatience: no rows are held out'],
] as const)('refuses settings that contradict each other: %o', (change, message) => {
  expect(() => checkSettings({ ...fine, ...change })).toThrow(message);
});

it.each([
  {},
  { stepInBackward: true, clip: 'block' },
  { stepInBackward: true, maxGradNorm: 0 },
  { evalShare: 0.1, evalEverySteps: 5, earlyStoppingPatience: 2 },
] as const)('lets pass what goes together: %o', (change) => {
  expect(() => checkSettings({ ...fine, ...change })).not.toThrow();
});
