import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { addonFile } from '../../src/base/paths.ts';
import { addon } from '../../src/native/load.ts';
import {
  fromBooleans,
  fromFloat32,
  fromFloat64,
  fromIntegers,
  toFloat32,
  toFloat64,
  toIntegers,
} from '../../src/torch/convert.ts';
import { grad, noGrad } from '../../src/torch/grad.ts';
import { threadsUsed } from '../../src/torch/kernels.ts';
import * as ops from '../../src/torch/ops.ts';
import { expectShape, keep, liveBytes, liveTensors, scope, type Tensor } from '../../src/torch/tensor.ts';

describe('operators', () => {
  it('calls any operator by its schema, defaults filled in', () => {
    scope(() => {
      const a = fromFloat32([1, 2, 3, 4], [2, 2]);
      expect(Array.from(toFloat32(ops.add(a, a)))).toEqual([2, 4, 6, 8]);
      expect(Array.from(toFloat32(ops.matmul(a, a)))).toEqual([7, 10, 15, 22]);
      expect(ops.toDtype(a, 'bfloat16').dtype).toBe('bfloat16');
      expect(toIntegers(ops.argmax(a, 1))).toEqual([1, 1]);
      const [values, indices] = ops.topk(a, 1, 1) as [Tensor, Tensor];
      expect([Array.from(toFloat32(values)), toIntegers(indices)]).toEqual([
        [2, 4],
        [1, 1],
      ]);
    });
  });

  it("throws libtorch's message with the shapes that were given", () => {
    scope(() => {
      const a = fromFloat32([1, 2, 3, 4, 5, 6], [2, 3]);
      expect(() => ops.matmul(a, a)).toThrow(/aten::matmul\(\[2, 3\] float32, \[2, 3\] float32\).*(2x3|mat1)/s);
    });
    expect(() => addon().operator('aten::no_such_thing', '')).toThrow('no operator aten::no_such_thing');
    expect(() => addon().call(addon().operator('aten::relu', ''), ['text'])).toThrow('self: expected a tensor');
    expect(() => addon().call(addon().operator('aten::relu', ''), [5])).toThrow(
      'expected a tensor, got a plain number',
    );
    expect(() => addon().fromBytes(new Uint8Array(7), 'float32', [2])).toThrow('expected 8 bytes, got 7');
    expect(() => addon().fromBytes(new Uint8Array(8), 'float33', [2])).toThrow('unknown dtype "float33"');
  });

  it('runs parallel loops on more than one thread where there is more than one', () => {
    expect(threadsUsed(10_000)).toBe(addon().machine().threads);
  });
});

describe('ownership', () => {
  it('frees what a scope made, except what it returns', () => {
    const before = liveTensors();
    const kept = scope(() => {
      const a = fromFloat32([1, 2], [2]);
      const inner = scope(() => ({ sum: ops.add(a, a), list: [ops.mul(a, a)] }));
      expect(liveTensors()).toBe(before + 3);
      return inner.sum;
    });
    expect(liveTensors()).toBe(before + 1);
    expect(Array.from(toFloat32(kept))).toEqual([2, 4]);
    kept.release();
    kept.release();
    expect(liveTensors()).toBe(before);
  });

  it('frees on a throw, and keeps what is kept', () => {
    const before = liveTensors();
    let survivor: Tensor | undefined;
    expect(() =>
      scope(() => {
        survivor = keep(fromFloat32([3], [1]));
        fromFloat32([4], [1]);
        throw new Error('on purpose');
      }),
    ).toThrow('on purpose');
    expect(liveTensors()).toBe(before + 1);
    expect(ops.item(survivor as Tensor)).toBe(3);
    survivor?.release();
  });

  it('throws on a tensor that was released, even when its slot is in use again', () => {
    const gone = fromFloat32([1], [1]);
    const handle = gone.handle;
    gone.release();
    expect(() => ops.silu(gone)).toThrow('was released');
    const others = Array.from({ length: 64 }, () => fromFloat32([2], [1]));
    expect(() => addon().shape(handle)).toThrow('was released');
    for (const other of others) other.release();
  });

  it("refuses another thread's tensor", async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
       const addon = require(${JSON.stringify(addonFile)});
       const own = addon.fromBytes(new Uint8Array(4), 'float32', [1]);
       parentPort.on('message', (foreign) => {
         let message = 'accepted';
         try { addon.shape(foreign); } catch (error) { message = error.message; }
         parentPort.postMessage({ message, live: addon.liveTensors(), own });
       });`,
      { eval: true },
    );
    const mine = fromFloat32([1], [1]);
    const answer = await new Promise<{ message: string; live: number; own: number }>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.postMessage(mine.handle);
    });
    await worker.terminate();
    expect(answer.message).toContain("belongs to another thread's environment");
    expect(answer.live).toBe(1);
    expect(() => addon().shape(answer.own)).toThrow("belongs to another thread's environment");
    mine.release();
  });

  it('counts the bytes of shared storage once', () => {
    const before = liveBytes();
    const whole = fromFloat32(new Float32Array(1000), [10, 100]);
    const part = ops.narrow(whole, 0, 2, 3);
    expect(liveBytes() - before).toBe(4000);
    whole.release();
    expect(liveBytes() - before).toBe(4000);
    part.release();
    expect(liveBytes()).toBe(before);
  });

  it('checks shapes in words', () => {
    scope(() => {
      const a = fromFloat32([1, 2], [1, 2]);
      expect(() => expectShape(a, [2, -1], 'scores')).toThrow('scores: expected [2, -1], got [1, 2]');
      expectShape(a, [-1, 2], 'scores');
    });
  });
});

describe('autograd', () => {
  it('differentiates: d(sum x² y)/dx = 2xy, and nothing for an unused input', () => {
    scope(() => {
      const x = fromFloat32([1, 2, 3], [3]).requiresGrad();
      const y = fromFloat32([4, 5, 6], [3]).requiresGrad();
      const unused = fromFloat32([1], [1]).requiresGrad();
      const out = ops.sum(ops.mul(ops.mul(x, x), y));
      const [dx, dy, none] = grad([out], [x, y, unused]);
      expect(Array.from(toFloat32(dx as Tensor))).toEqual([8, 20, 36]);
      expect(Array.from(toFloat32(dy as Tensor))).toEqual([1, 4, 9]);
      expect(none).toBeUndefined();
    });
  });

  it('takes output gradients, and records nothing under noGrad', () => {
    scope(() => {
      const x = fromFloat32([1, 2], [2]).requiresGrad();
      const [dx] = grad([ops.mul(x, x)], [x], { gradOutputs: [fromFloat32([10, 1], [2])] });
      expect(Array.from(toFloat32(dx as Tensor))).toEqual([20, 4]);
      const silent = noGrad(() => ops.sum(ops.mul(x, x)));
      expect(() => grad([silent], [x])).toThrow('does not require grad');
    });
  });
});

it('carries dtypes through typed arrays', () => {
  scope(() => {
    expect(toIntegers(fromIntegers([1, -2, 2 ** 40], [3]))).toEqual([1, -2, 2 ** 40]);
    expect(Array.from(toFloat64(fromFloat64([0.1, 1e300], [2])))).toEqual([0.1, 1e300]);
    const mask = fromBooleans(Uint8Array.from([1, 0]), [2]);
    expect(Array.from(toFloat32(ops.maskedFill(fromFloat32([5, 6], [2]), mask, -1)))).toEqual([-1, 6]);
  });
});
