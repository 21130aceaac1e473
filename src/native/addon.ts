/**
 * The whole native surface, as one type: what native/*.cpp exports. Tensors are numbers here (see environment.h);
 * src/torch wraps them. scripts/check-signatures.mjs holds each line against the `ts:` comment above its C++.
 */
export interface Addon {
  operator(name: string, overload: string): number;
  schema(operator: number): string;
  call(operator: number, args: readonly unknown[]): unknown;
  fromBytes(bytes: Uint8Array, dtype: string, shape: readonly number[]): number;
  toBytes(tensor: number): Uint8Array;
  shape(tensor: number): number[];
  dtype(tensor: number): string;
  device(tensor: number): string;
  release(tensor: number): void;
  liveTensors(): number;
  liveBytes(): number;
  grad(
    outputs: readonly number[],
    inputs: readonly number[],
    gradOutputs: readonly number[] | null,
    retainGraph: boolean,
  ): (number | null)[];
  setRequiresGrad(tensor: number, on: boolean): void;
  setGradMode(on: boolean): boolean;
  mapFile(path: string): number;
  unmapFile(file: number): void;
  fromFile(file: number, byteOffset: number, dtype: string, shape: readonly number[]): number;
  setThreads(count: number): void;
  setDeterministic(on: boolean): void;
  setDevice(name: string): string;
  gpu(): NativeGpu | null;
  elapsedMs(body: () => void): number;
  machine(): NativeMachine;
}

/** What libtorch says of itself and of the processor it runs on. */
export interface NativeMachine {
  readonly torchVersion: string;
  readonly threads: number;
  /** The instruction set libtorch chose its kernels for: DEFAULT, AVX2, AVX512. */
  readonly cpuCapability: string;
  readonly builtForCuda: boolean;
  /** Whether a CUDA device answers. */
  readonly cuda: boolean;
  /** Where this process computes: `cpu`, `cuda:0`. */
  readonly device: string;
  /** Names of the instruction-set features present, such as `avx512_bf16`. */
  readonly cpuFeatures: readonly string[];
}

/** The GPU this process computes on. Memory is what the driver says, but for `peakBytes`: the most that tensors have taken. */
export interface NativeGpu {
  readonly name: string;
  /** Compute capability, such as 9 for H100 and H200; 0 where it is not known. */
  readonly capability: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly peakBytes: number;
}
