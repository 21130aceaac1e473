/**
 * One optimizer step: at once when all gradients are there, or weight by weight inside the backward. It is not taken
 * where something is not finite; inside the backward that is seen part by part, and what came before has been stepped.
 */
import type { Gradients } from './gradients.ts';
import type { AdamW } from './optimizer.ts';

export interface UpdateSettings {
  readonly stepInBackward: boolean;
  /** Whose norm `maxGradNorm` limits: that of all gradients, or of what becomes ready together (a block's) by itself. */
  readonly clip: 'global' | 'block';
}

export class Update {
  readonly #optimizer: AdamW;
  readonly #step: number;
  readonly #learningRate: number;
  readonly #settings: UpdateSettings;
  /** What becomes ready together, by its first name. */
  readonly #parts = new Map<string, readonly string[]>();
  #squares = 0;
  #finite = true;

  /** `step` counts from 1. */
  constructor(optimizer: AdamW, step: number, learningRate: number, settings: UpdateSettings) {
    this.#optimizer = optimizer;
    this.#step = step;
    this.#learningRate = learningRate;
    this.#settings = settings;
  }

  /** Hears from the executor that these gradients are whole. */
  ready(gradients: Gradients, names: readonly string[]): void {
    const [first] = names;
    if (first === undefined) return;
    this.#parts.set(first, names);
    if (this.#settings.stepInBackward) this.#stepPart(gradients, names);
  }

  /** Steps what has not been stepped, if all is finite; the norm of all gradients. */
  finish(gradients: Gradients, lossIsFinite: boolean): number {
    this.#finite &&= lossIsFinite;
    if (this.#settings.stepInBackward) return Math.sqrt(this.#squares);
    const norm = this.#optimizer.gradientNorm(gradients);
    this.#finite &&= Number.isFinite(norm);
    if (!this.#finite) return norm;
    if (this.#settings.clip === 'global') this.#optimizer.step(gradients, this.#step, this.#learningRate, norm);
    else for (const names of this.#parts.values()) this.#stepPart(gradients, names);
    return norm;
  }

  /** After `finish`: whether the step was taken. */
  get taken(): boolean {
    return this.#finite;
  }

  #stepPart(gradients: Gradients, names: readonly string[]): void {
    const part = gradients.take(names);
    const norm = this.#optimizer.gradientNorm(part);
    this.#squares += norm ** 2;
    this.#finite &&= Number.isFinite(norm);
    if (this.#finite) this.#optimizer.step(part, this.#step, this.#learningRate, norm);
    part.release();
  }
}
