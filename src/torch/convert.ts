/** Tensors from and to JavaScript's typed arrays. Everything is copied; memory never has two owners. */
import { addon } from '../native/load.ts';
import { toDtype } from './ops.ts';
import { scope, Tensor } from './tensor.ts';

const asBytes = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

export function fromFloat32(values: Float32Array | readonly number[], shape: readonly number[]): Tensor {
  const array = values instanceof Float32Array ? values : Float32Array.from(values);
  return new Tensor(addon().fromBytes(asBytes(array), 'float32', shape));
}

export function fromFloat64(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor(addon().fromBytes(asBytes(Float64Array.from(values)), 'float64', shape));
}

/** Token ids, positions, indices: int64, as embeddings and gathers want them. */
export function fromIntegers(values: ArrayLike<number>, shape: readonly number[]): Tensor {
  const array = new BigInt64Array(values.length);
  for (let i = 0; i < values.length; i++) array[i] = BigInt(values[i] as number);
  return new Tensor(addon().fromBytes(asBytes(array), 'int64', shape));
}

export function fromBooleans(values: Uint8Array, shape: readonly number[]): Tensor {
  return new Tensor(addon().fromBytes(values, 'bool', shape));
}

/** The tensor's memory, row-major, copied. */
export const toBytes = (tensor: Tensor): Uint8Array => addon().toBytes(tensor.handle);

/** Values as float32, whatever the tensor's dtype. */
export function toFloat32(tensor: Tensor): Float32Array {
  const bytes = scope(() => toBytes(tensor.dtype === 'float32' ? tensor : toDtype(tensor, 'float32')));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

export function toFloat64(tensor: Tensor): Float64Array {
  const bytes = scope(() => toBytes(tensor.dtype === 'float64' ? tensor : toDtype(tensor, 'float64')));
  return new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
}

/** Whole numbers as plain JavaScript numbers. */
export function toIntegers(tensor: Tensor): number[] {
  const bytes = scope(() => toBytes(tensor.dtype === 'int64' ? tensor : toDtype(tensor, 'int64')));
  return Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8), Number);
}
