import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TensorBoardLog } from '../../src/train/tensorboard.ts';

const python = process.env['PEERS_PYTHON'] as string;
const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'understudy-peers-tensorboard-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Scalars = Record<string, [step: number, value: number][]>;

const theirs = (folder: string) =>
  JSON.parse(
    execFileSync(python, [join(root, 'scripts/peers/scalars.py'), folder], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString(),
  ) as { accumulator: Scalars; multiplexer: Scalars };

describe('TensorBoard', () => {
  it('finds our scalars, and drops what a run that went on computed again', () => {
    const folder = mkdtempSync(join(scratch, 'run-'));
    const first = new TensorBoardLog(folder, { wallTime: () => 1_700_000_000 });
    for (let step = 1; step <= 6; step++) first.scalars({ loss: 1 / step, learningRate: step / 8 }, step);
    first.close();
    const loss = (step: number): [number, number] => [step, Math.fround(1 / step)];
    const before = {
      loss: [1, 2, 3, 4, 5, 6].map(loss),
      learningRate: [1, 2, 3, 4, 5, 6].map((step) => [step, step / 8]),
    };
    expect(theirs(folder)).toEqual({ accumulator: before, multiplexer: before });

    // Killed in the middle of a record; gone on with after the checkpoint of step 4, in the very same second.
    writeFileSync(first.file, readFileSync(first.file).subarray(0, -7));
    const second = new TensorBoardLog(folder, { wallTime: () => 1_700_000_000, firstStep: 5 });
    second.scalar('loss', 0.5, 5);
    second.close();
    const after = {
      loss: [...[1, 2, 3, 4].map(loss), [5, 0.5]],
      learningRate: [1, 2, 3, 4].map((step) => [step, step / 8]),
    };
    expect(theirs(folder)).toEqual({ accumulator: after, multiplexer: after });
  });
});
