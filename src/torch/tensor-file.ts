/** What a file of named tensors offers, whatever its format: safetensors.ts and pytorch-file.ts open such files. */
import type { Dtype, Tensor } from './tensor.ts';

export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Where the first value lies, from the start of the file. */
  readonly byteOffset: number;
  /** Of all values. They follow one another in the file, but for transposed tensors of pytorch-file.ts. */
  readonly byteLength: number;
}

export interface TensorFile {
  readonly file: string;
  readonly entries: ReadonlyMap<string, TensorEntry>;
  /** A contiguous tensor that looks into the mapped file; nothing is read before it is touched. */
  tensor(name: string): Tensor;
  /** Tensors already made stay valid. */
  close(): void;
}
