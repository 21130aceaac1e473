/** Calls any ATen operator by name: tensors go in as handles, come out wrapped. ops.ts gives the ones in use types. */
import { NativeError } from '../base/errors.ts';
import { addon } from '../native/load.ts';
import { Tensor } from './tensor.ts';

type Argument = Tensor | number | boolean | string | null | undefined | readonly Argument[];

const toNative = (argument: Argument): unknown => {
  if (argument instanceof Tensor) return argument.handle;
  if (Array.isArray(argument)) return argument.map(toNative);
  return argument;
};

/** For errors: tensors by shape and dtype, lists in parentheses. */
function describe(argument: Argument): string {
  if (argument instanceof Tensor) return `[${argument.shape.join(', ')}] ${argument.dtype}`;
  return Array.isArray(argument) ? `(${argument.map(describe).join(', ')})` : String(argument);
}

/** A callable for one operator, looked up at its first call. `name` is `namespace::operator` or with `.overload`. */
function caller(name: string): (args: readonly Argument[]) => unknown {
  let index: number | undefined;
  return (args) => {
    const native = addon();
    const dot = name.indexOf('.');
    index ??= dot < 0 ? native.operator(name, '') : native.operator(name.slice(0, dot), name.slice(dot + 1));
    try {
      return native.call(index, args.map(toNative));
    } catch (error) {
      throw new NativeError(`${name}(${args.map(describe).join(', ')}): ${(error as Error).message}`, { cause: error });
    }
  };
}

/** An operator that returns one tensor. */
export function tensorOperator<Args extends readonly Argument[]>(name: string): (...args: Args) => Tensor {
  const call = caller(name);
  return (...args) => new Tensor(call(args) as number);
}

/** An operator that returns several tensors. */
export function tensorsOperator<Args extends readonly Argument[]>(name: string): (...args: Args) => Tensor[] {
  const call = caller(name);
  return (...args) => (call(args) as number[]).map((handle) => new Tensor(handle));
}

/** An operator that returns nothing or a plain value. */
export function plainOperator<Result, Args extends readonly Argument[]>(name: string): (...args: Args) => Result {
  const call = caller(name);
  return (...args) => call(args) as Result;
}

/** An operator that changes its first argument and returns it: the new handle for the same memory is dropped. */
export function inPlaceOperator<Args extends readonly [Tensor, ...Argument[]]>(
  name: string,
): (...args: Args) => Tensor {
  const call = caller(name);
  return (...args) => {
    const result = call(args);
    if (typeof result === 'number') addon().release(result);
    return args[0];
  };
}

/** An operator's `out` variant, the result first: written into memory that is there, its new handle dropped. */
export function intoOperator<Args extends readonly Argument[]>(name: string): (out: Tensor, ...args: Args) => Tensor {
  const call = caller(name);
  return (out, ...args) => {
    const result = call([...args, out]);
    if (typeof result === 'number') addon().release(result);
    return out;
  };
}
