import { expect, it } from 'vitest';
import { machine } from '../../src/torch/machine.ts';
import { currentNumerics, numericsDifference } from '../../src/train/numerics.ts';

it('says nothing of a GPU on the CPU, as checkpoints from before there was a choice', () => {
  const { torchVersion, cpuCapability, threads } = machine();
  expect(currentNumerics('float32')).toEqual({ torchVersion, cpuCapability, threads, dtype: 'float32' });
});

it('names what has changed since a checkpoint, the GPU among it', () => {
  const saved = { torchVersion: '2.13.0', cpuCapability: 'AVX2', threads: 2, dtype: 'bfloat16' };
  expect(numericsDifference(saved, { ...saved })).toBeUndefined();
  expect(numericsDifference(saved, { ...saved, threads: 4, gpu: 'NVIDIA H200' })).toBe(
    'threads 2 → 4, gpu none → NVIDIA H200',
  );
  expect(numericsDifference({ ...saved, gpu: 'NVIDIA H200' }, saved)).toBe('gpu NVIDIA H200 → none');
});
