/** Where tensors are made. There is no GPU here: libtorch's meta device, whose tensors have no values, stands for one. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { fromFloat32, fromIntegers, toFloat32 } from '../../src/torch/convert.ts';
import { elapsedMs, gpu, machine, openDevice } from '../../src/torch/machine.ts';
import { tensorOperator } from '../../src/torch/operator.ts';
import * as ops from '../../src/torch/ops.ts';
import { openPytorchFile } from '../../src/torch/pytorch-file.ts';
import { openSafetensors } from '../../src/torch/safetensors.ts';
import { scope, type Tensor } from '../../src/torch/tensor.ts';

const golden = join(import.meta.dirname, '../golden');
afterEach(() => {
  openDevice('cpu');
});

const arange = tensorOperator<[number]>('aten::arange');
const scalar = tensorOperator<[number, string]>('aten::scalar_tensor');
const zerosOn = tensorOperator<[readonly number[], 'float32', null, string]>('aten::zeros');

it('is the CPU until another is chosen', () => {
  expect(machine().device).toBe('cpu');
  expect(gpu()).toBeNull();
  scope(() => expect([fromFloat32([1], [1]).device, ops.zeros([2], 'float32').device]).toEqual(['cpu', 'cpu']));
});

it('is where operators make tensors from nothing, unless they are told another', () => {
  expect(openDevice('meta')).toBe('meta');
  scope(() => {
    const made = [ops.zeros([2], 'float32'), ops.full([2], 1, 'bfloat16'), arange(3), scalar(1, 'float32')];
    expect(made.map(({ device }) => device)).toEqual(['meta', 'meta', 'meta', 'meta']);
    expect(zerosOn([2], 'float32', null, 'cpu').device).toBe('cpu');
  });
});

it('is where values go that come from JavaScript or from files', () => {
  openDevice('meta');
  scope(() => {
    const safetensors = openSafetensors(join(golden, 'llama-tied/model.safetensors'));
    const pickle = openPytorchFile(join(golden, 'pickle/zip.bin'));
    const tensors = [
      fromFloat32([1, 2], [2]),
      fromIntegers([1], [1]),
      ...[safetensors, pickle].flatMap((file) => [...file.entries.keys()].map((name) => file.tensor(name))),
    ];
    safetensors.close();
    pickle.close();
    expect(tensors.length).toBeGreaterThan(10);
    expect(new Set(tensors.map(({ device }) => device))).toEqual(new Set(['meta']));
  });
});

it('says what is on the CPU and what is not as tensors do: whatever mixes them fails', () => {
  let onCpu: Tensor | undefined;
  scope(() => {
    openDevice('meta');
    onCpu = zerosOn([2], 'float32', null, 'cpu');
    expect(() => ops.add(ops.zeros([2], 'float32'), onCpu as Tensor)).toThrow('device');
    expect(() => toFloat32(ops.zeros([2], 'float32'))).toThrow('meta');
  });
});

it('cannot change once there are tensors', () => {
  scope(() => {
    ops.zeros([1], 'float32');
    expect(() => openDevice('meta')).toThrow('tensors have been made already');
  });
});

it('says what is wrong with a device that is not there, and takes the CPU where it may choose', () => {
  expect(openDevice('auto')).toBe(machine().cuda ? 'cuda:0' : 'cpu');
  expect(() => openDevice('cuda:77')).toThrow(/device cuda:77: (no|this libtorch is built without)/);
  expect(() => openDevice('xla')).toThrow('device xla: libtorch here has no device xla');
  expect(() => openDevice('cuda:77')).toThrow(expect.objectContaining({ exitCode: 2 }));
});

it('times what it is given to do, and hands on what that throws', () => {
  const ms = elapsedMs(() => {
    for (const end = performance.now() + 5; performance.now() < end; );
  });
  expect(ms).toBeGreaterThanOrEqual(5);
  expect(() =>
    elapsedMs(() => {
      throw new Error('no');
    }),
  ).toThrow('no');
});
