/**
 * ggml's tensor types: name, block size, and the decoder of those that are read. Types without a decoder have their
 * size here all the same: it is needed to check a file's table, and the tensors beside them can be read.
 */
import type { Decoder } from './block.ts';
import * as blocks from './blocks.ts';
import * as superBlocks from './super-blocks.ts';

export interface TensorType {
  readonly name: string;
  /** Values that share one block, and the block's bytes. */
  readonly blockValues: number;
  readonly blockBytes: number;
  readonly decode: Decoder | undefined;
}

const type = (name: string, blockValues: number, blockBytes: number, decode?: Decoder): TensorType => ({
  name,
  blockValues,
  blockBytes,
  decode,
});

/** By ggml's number. */
export const tensorTypes: ReadonlyMap<number, TensorType> = new Map([
  [0, type('F32', 1, 4, blocks.decodeF32)],
  [1, type('F16', 1, 2, blocks.decodeF16)],
  [2, type('Q4_0', 32, 18, blocks.decodeQ4Zero)],
  [3, type('Q4_1', 32, 20, blocks.decodeQ4One)],
  [6, type('Q5_0', 32, 22, blocks.decodeQ5Zero)],
  [7, type('Q5_1', 32, 24, blocks.decodeQ5One)],
  [8, type('Q8_0', 32, 34, blocks.decodeQ8Zero)],
  [10, type('Q2_K', 256, 84, superBlocks.decodeQ2K)],
  [11, type('Q3_K', 256, 110, superBlocks.decodeQ3K)],
  [12, type('Q4_K', 256, 144, superBlocks.decodeQ4K)],
  [13, type('Q5_K', 256, 176, superBlocks.decodeQ5K)],
  [14, type('Q6_K', 256, 210, superBlocks.decodeQ6K)],
  [15, type('Q8_K', 256, 292, superBlocks.decodeQ8K)],
  [16, type('IQ2_XXS', 256, 66)],
  [17, type('IQ2_XS', 256, 74)],
  [18, type('IQ3_XXS', 256, 98)],
  [19, type('IQ1_S', 256, 50)],
  [20, type('IQ4_NL', 32, 18, blocks.decodeIQ4NL)],
  [21, type('IQ3_S', 256, 110)],
  [22, type('IQ2_S', 256, 82)],
  [23, type('IQ4_XS', 256, 136, superBlocks.decodeIQ4XS)],
  [24, type('I8', 1, 1)],
  [25, type('I16', 1, 2)],
  [26, type('I32', 1, 4)],
  [27, type('I64', 1, 8)],
  [28, type('F64', 1, 8)],
  [29, type('IQ1_M', 256, 56)],
  [30, type('BF16', 1, 2, blocks.decodeBF16)],
  [34, type('TQ1_0', 256, 54)],
  [35, type('TQ2_0', 256, 66)],
  [39, type('MXFP4', 32, 17)],
  [40, type('NVFP4', 64, 36)],
  [41, type('Q1_0', 128, 18)],
]);

/** Numbers that ggml has given up, or uses in memory only: no file of today has them. */
export const retiredTypes: ReadonlyMap<number, string> = new Map([
  [4, 'Q4_2'],
  [5, 'Q4_3'],
  [9, 'Q8_1'],
  [31, 'Q4_0_4_4'],
  [32, 'Q4_0_4_8'],
  [33, 'Q4_0_8_8'],
  [36, 'IQ4_NL_4_4'],
  [37, 'IQ4_NL_4_8'],
  [38, 'IQ4_NL_8_8'],
]);

/** Names of the types that are read, for messages. */
export const readableTypes: string = [...tensorTypes.values()]
  .flatMap(({ name, decode }) => (decode ? [name] : []))
  .join(', ');

const byName: ReadonlyMap<string, TensorType> = new Map([...tensorTypes.values()].map((entry) => [entry.name, entry]));

/** Undefined for a name that is not in the table. */
export const tensorTypeOf = (name: string): TensorType | undefined => byName.get(name);
