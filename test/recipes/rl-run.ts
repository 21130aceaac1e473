/** Reinforcement learning in the tests' own process: the engine's methods without its wire, and a run with Ctrl-C. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Engine } from '../../recipes/engine.ts';
import { run } from '../../recipes/rl.ts';
import { type GrpoConfig, grpoSchema, type PpoConfig, ppoSchema, type RlConfig } from '../../recipes/rl-config.ts';
import { RlSession } from '../../recipes/rl-session.ts';
import { InterruptedError } from '../../src/base/errors.ts';
import type { Message } from '../../src/base/message.ts';
import { rewardsOf } from '../../src/infer/rewards.ts';
import { loadModel } from '../../src/local/loaded-model.ts';
import { encodeConversation } from '../../src/text/chat-template.ts';
import { setDeterministic } from '../../src/torch/machine.ts';
import { rowsFile } from './comparison-run.ts';
import { goldenModel, jsonIn, scratch } from './sft-run.ts';

/** A copy of a golden model that ends an answer with one token in eight: its random weights would seldom end any. */
export function talkative(name = 'llama-tied'): string {
  const folder = join(scratch, `talkative-${name}`);
  cpSync(goldenModel(name), folder, { recursive: true });
  const ends = Array.from({ length: 32 }, (_, i) => 200 + i);
  const settings = jsonIn<object>(folder, 'generation_config.json');
  writeFileSync(join(folder, 'generation_config.json'), JSON.stringify({ ...settings, eos_token_id: [2, ...ends] }));
  return folder;
}

export const promptsFile = (name: string, count: number): string =>
  rowsFile(
    name,
    Array.from({ length: count }, (_, i) => ({ id: `p${i}`, prompt: `Say ${i}.`, reference: `It is ${i}.` })),
  );

const shared = (name: string) => ({
  output: join(scratch, name),
  dtype: 'float32',
  iterations: 4,
  promptsPerIteration: 4,
  maxNewTokens: 6,
  learningRate: 2e-2,
  lora: { rank: 4, alpha: 8 },
  packTokens: 256,
  checkpointEveryIterations: 100,
});
type Needed = 'model' | 'data' | 'rewards';

export const grpoConfig = (name: string, more: Partial<GrpoConfig> & Pick<GrpoConfig, Needed>): GrpoConfig =>
  grpoSchema.parse({ ...shared(name), samples: 6, ...more });
export const ppoConfig = (name: string, more: Partial<PpoConfig> & Pick<PpoConfig, Needed>): PpoConfig =>
  ppoSchema.parse({ ...shared(name), samples: 6, ...more });

interface Said {
  readonly notes: string[];
  readonly methods: string[];
}

export interface Hooks {
  /** Told before each call; Ctrl-C is `abort`. */
  readonly before?: (method: string, params: { iteration?: number }, abort: () => void) => void;
  /** In place of what an iteration's answers earned. */
  readonly rewards?: (given: readonly number[], iteration: number) => readonly number[];
}

export async function reinforce(config: RlConfig, hooks: Hooks = {}): Promise<Said> {
  setDeterministic(true);
  const controller = new AbortController();
  const notes: string[] = [];
  const methods: string[] = [];
  let session: RlSession | undefined;
  const of = () => session as RlSession;
  const note = (text: string) => notes.push(text);
  const signal = controller.signal;
  const handlers = {
    async rlOpen({ learned }: { learned: unknown }) {
      const { session: opened, ...state } = await RlSession.open(config, learned, note);
      session = opened;
      return state;
    },
    rlSample: ({ iteration, prompts }: { iteration: number; prompts: never }) =>
      of().sample(iteration, prompts, { signal, onProgress: () => {} }),
    rlLearn: ({ iteration, rewards }: { iteration: number; rewards: readonly number[] }) =>
      of().learn(iteration, hooks.rewards?.(rewards, iteration) ?? rewards, { signal, note }),
    rlSave: ({ iteration, history }: { iteration: number; history: never }) => of().save(iteration, history),
    rlFinish: () => of().finish(),
    rewards: ({ model, conversations }: { model: { folder: string }; conversations: readonly Message[][] }) =>
      scored(model.folder, conversations),
  };
  const call = async (method: keyof typeof handlers, params: never, options: { signal?: AbortSignal } = {}) => {
    methods.push(method);
    hooks.before?.(method, params ?? {}, () => controller.abort());
    if (options.signal?.aborted) throw new InterruptedError();
    return handlers[method](params);
  };
  const progress = { update: () => {}, note, finish: () => {} };
  try {
    await run(config, { engine: { call } as unknown as Pick<Engine, 'call'>, signal, progress });
  } finally {
    session?.release();
  }
  return { notes, methods };
}

async function scored(folder: string, conversations: readonly (readonly Message[])[]): Promise<number[]> {
  const { decoder, tokenizer, template } = loadModel(folder, { dtype: 'float32', scores: true });
  const rewards = await rewardsOf(
    decoder,
    conversations.map((messages) => encodeConversation(tokenizer, template, messages)),
  );
  decoder.release();
  return rewards;
}
