/**
 * A libtorch tensor, owned by the scope it was made in. The object holds a number; the memory is libtorch's. A tensor
 * that left its scope throws on use. FinalizationRegistry frees what no scope owns, but never inside a synchronous
 * loop: it is a net for leaks, not a plan.
 */
import { ShapeError } from '../base/errors.ts';
import { addon } from '../native/load.ts';

export type Dtype =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

export const bytesPerElement: Readonly<Record<Dtype, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

const leaked = new FinalizationRegistry<number>((handle) => addon().release(handle));

/** What a scope frees when it ends; undefined outside every scope. */
let current: Set<Tensor> | undefined;

export class Tensor {
  readonly #handle: number;
  #released = false;
  #shape: readonly number[] | undefined;
  #dtype: Dtype | undefined;
  #device: string | undefined;

  /** Wraps a handle that the addon has just returned, and takes it over. */
  constructor(handle: number) {
    this.#handle = handle;
    leaked.register(this, handle, this);
    current?.add(this);
  }

  /** The number the addon knows this tensor by. Throws once it is released. */
  get handle(): number {
    if (this.#released) {
      throw new ShapeError('this tensor was released; use it before its scope ends, or return it from the scope');
    }
    return this.#handle;
  }

  get shape(): readonly number[] {
    this.#shape ??= addon().shape(this.handle);
    return this.#shape;
  }

  get dtype(): Dtype {
    this.#dtype ??= addon().dtype(this.handle) as Dtype;
    return this.#dtype;
  }

  /** `cpu`, `cuda:0`. */
  get device(): string {
    this.#device ??= addon().device(this.handle);
    return this.#device;
  }

  /** Length of dimension `index`; negative counts from the end. */
  size(index: number): number {
    const length = this.shape.at(index);
    if (length === undefined) throw new ShapeError(`size: no dimension ${index} in [${this.shape.join(', ')}]`);
    return length;
  }

  get elements(): number {
    return this.shape.reduce((product, length) => product * length, 1);
  }

  /** Frees the memory now, unless autograd or a view still needs it. Twice is allowed. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    leaked.unregister(this);
    current?.delete(this);
    addon().release(this.#handle);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  /** Marks a leaf as wanting gradients. */
  requiresGrad(on = true): this {
    addon().setRequiresGrad(this.handle, on);
    return this;
  }
}

/**
 * Frees every tensor made inside `body` except those it returns (also inside arrays and plain objects), which move to
 * the enclosing scope. Scopes nest. `body` must be synchronous: tensors made after an await would have no owner.
 */
export function scope<T>(body: () => T): T {
  const outer = current;
  const inner = new Set<Tensor>();
  current = inner;
  let result: T;
  try {
    result = body();
  } catch (error) {
    current = outer;
    for (const tensor of inner) tensor.release();
    throw error;
  }
  if (result instanceof Promise) {
    current = outer;
    throw new TypeError('scope: expected a synchronous body, got a promise');
  }
  current = inner;
  const kept = new Set<Tensor>();
  collect(result, kept);
  for (const tensor of inner) if (!kept.has(tensor)) tensor.release();
  current = outer;
  for (const tensor of kept) if (inner.has(tensor)) outer?.add(tensor);
  return result;
}

/** Takes tensors out of the current scope: they live until released by hand (weights, optimizer state, caches). */
export function keep<T>(value: T): T {
  const tensors = new Set<Tensor>();
  collect(value, tensors);
  for (const tensor of tensors) current?.delete(tensor);
  return value;
}

/** Releases every tensor inside a value that `keep` or no scope owns. */
export function releaseAll(value: unknown): void {
  const tensors = new Set<Tensor>();
  collect(value, tensors);
  for (const tensor of tensors) tensor.release();
}

function collect(value: unknown, into: Set<Tensor>): void {
  if (value instanceof Tensor) into.add(value);
  else if (Array.isArray(value)) for (const item of value) collect(item, into);
  else if (value instanceof Map) for (const item of value.values()) collect(item, into);
  else if (value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) collect(item, into);
  }
}

/** Throws a ShapeError unless `tensor` has this shape; -1 stands for any length. */
export function expectShape(tensor: Tensor, shape: readonly number[], name: string): void {
  const matches =
    tensor.shape.length === shape.length && shape.every((length, i) => length === -1 || length === tensor.shape[i]);
  if (!matches) throw new ShapeError(`${name}: expected [${shape.join(', ')}], got [${tensor.shape.join(', ')}]`);
}

export const liveTensors = (): number => addon().liveTensors();
export const liveBytes = (): number => addon().liveBytes();
