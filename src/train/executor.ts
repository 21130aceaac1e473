/**
 * What computes a pack's loss and gradients. Two ways to the same numbers: `FusedExecutor` for Llama-like models on the
 * CPU, `AutogradExecutor` for everything else. Both go block by block, which is the seam for sharding, recomputing and
 * stepping inside the backward.
 */
import { type Pack, packTokens } from '../data/pack.ts';
import type { Objective, Outputs, Readings } from '../loss/objective.ts';
import type { AdapterDropout } from '../model/adapter-dropout.ts';
import type { Decoder } from '../model/decoder.ts';
import { AutogradExecutor } from './autograd-executor.ts';
import { FusedExecutor } from './fused-executor.ts';
import { canFuse } from './fused-weights.ts';
import type { Gradients } from './gradients.ts';

/** Names of trained parameters. */
export type OnReady = (names: readonly string[]) => void;

/** What memory is made for at once: a larger pack is computed all the same, but makes it grow. */
export interface LargestPack {
  readonly tokens: number;
  /** Tokens to be predicted. */
  readonly labels: number;
}

export const largestPack = (packs: readonly Pack[]): LargestPack => {
  const largest = (size: (pack: Pack) => number) => packs.reduce((most, pack) => Math.max(most, size(pack)), 0);
  const labels = (pack: Pack) => pack.reduce((sum, { labelTokens }) => sum + labelTokens, 0);
  return { tokens: largest(packTokens), labels: largest(labels) };
};

export interface ExecutorOptions {
  /** Keep only the blocks' inputs: a third more work, a fraction of the memory. */
  readonly recompute?: boolean;
  /** Blocks write their gradients to the same memory: only where `onReady` takes each away before the next. */
  readonly shareGradients?: boolean;
  /** Of all that will come. Unknown: memory grows with every pack that is larger than those before. */
  readonly largest?: LargestPack;
}

export interface ReadOptions {
  readonly adapters?: boolean;
}

export interface Executor {
  /** Its parameters are what is to be trained. */
  readonly decoder: Decoder;
  /**
   * Adds the gradients of scale · Σ loss over the pack's labels to `gradients`; returns Σ loss in nats. `onReady` hears,
   * while the backward goes on, whose gradients are whole; it may step these weights and take their gradients away.
   * `dropout`: before the adapters.
   */
  forwardBackward(pack: Pack, gradients: Gradients, scale: number, onReady?: OnReady, dropout?: AdapterDropout): number;
  /** The same with another loss than cross-entropy, which the objective keeps to itself. */
  learn(pack: Pack, gradients: Gradients, objective: Objective, onReady?: OnReady, dropout?: AdapterDropout): void;
  /**
   * A forward alone, by the very arithmetic of `learn`: what its objective would be given. `adapters: false`: by the model
   * as it is without them.
   */
  read(pack: Pack, readings: Readings, options?: ReadOptions): Outputs;
  /** Of the decoder too. */
  release(): void;
}

/** Takes the decoder over. */
export const createExecutor = (decoder: Decoder, options: ExecutorOptions = {}): Executor =>
  decoder.device === 'cpu' && canFuse(decoder)
    ? new FusedExecutor(decoder, options)
    : new AutogradExecutor(decoder, options);
