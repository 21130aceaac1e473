/** The engine's process: libtorch on one device, the loaded models, and the numeric recipes. Started by `startEngine`. */
import { invariant } from '../src/base/errors.ts';
import { sha256 } from '../src/base/hash.ts';
import { rewardsOf } from '../src/infer/rewards.ts';
import { answerOn } from '../src/local/answer.ts';
import { type LoadedModel, loadModel } from '../src/local/loaded-model.ts';
import { type MethodHandlers, serveEngine } from '../src/run/engine-process.ts';
import { encodeConversation } from '../src/text/chat-template.ts';
import { threadsUsed } from '../src/torch/kernels.ts';
import { computesInBf16, gpu, machine, openDevice } from '../src/torch/machine.ts';
import { productSpeed } from '../src/torch/product-speed.ts';
import { run as runDpo } from './dpo.ts';
import type { EngineMethods, ModelChoice } from './engine.ts';
import { run as runMerge } from './merge.ts';
import { run as runReward } from './reward.ts';
import { RlSession } from './rl-session.ts';
import { run as runSft } from './sft.ts';

let session: RlSession | undefined;
const running = (): RlSession => {
  invariant(session, 'no reinforcement learning is open');
  return session;
};

/** At most one that writes and one that gives rewards: best-of-n asks them in turn, and neither is loaded again for it. */
const loaded = new Map<'writes' | 'scores', { readonly key: string; readonly model: LoadedModel }>();

/** Loads a model unless it is the one at hand; the one before it of its kind is released first. */
function use(choice: ModelChoice, { scores = false } = {}): LoadedModel {
  const slot = scores ? 'scores' : 'writes';
  const key = sha256(choice);
  const held = loaded.get(slot);
  if (held?.key === key) return held.model;
  release(slot);
  const model = loadModel(choice.folder, { ...choice, scores });
  loaded.set(slot, { key, model });
  return model;
}

function release(slot: 'writes' | 'scores'): void {
  loaded.get(slot)?.model.decoder.release();
  loaded.delete(slot);
}

function unload(): void {
  release('writes');
  release('scores');
}

const handlers: MethodHandlers<EngineMethods> = {
  machine: () => ({ ...machine(), gpu: gpu(), computesInBf16: computesInBf16(), kernelThreads: threadsUsed(10_000) }),
  answer: ({ model, requests, rows }, { signal, emit }) =>
    answerOn(use(model)).answer(requests, { rows, signal, onEvent: emit }),
  score: ({ model, conversations }, { signal, emit }) =>
    answerOn(use(model)).score(conversations, { signal, onProgress: (done) => emit({ done }) }),
  productSpeed: ({ dtype }) => productSpeed(dtype),
  merge(config) {
    unload();
    return runMerge(config);
  },
  dpo(config, context) {
    unload();
    return runDpo(config, context);
  },
  async rlOpen({ config, learned }, { emit }) {
    unload();
    session?.release();
    session = undefined;
    const { session: opened, ...state } = await RlSession.open(config, learned, (note) => emit({ note }));
    session = opened;
    return state;
  },
  rlSample: ({ iteration, prompts }, { signal, emit }) =>
    running().sample(iteration, prompts, { signal, onProgress: (done) => emit({ done }) }),
  rlLearn: ({ iteration, rewards }, { signal, emit }) =>
    running().learn(iteration, rewards, { signal, note: (note) => emit({ note }) }),
  async rlSave({ iteration, history }) {
    await running().save(iteration, history);
    return null;
  },
  async rlFinish() {
    const result = await running().finish();
    session?.release();
    session = undefined;
    return result;
  },
  reward(config, context) {
    unload();
    return runReward(config, context);
  },
  async rewards({ model, conversations }, { signal, emit }) {
    const { decoder, tokenizer, template } = use(model, { scores: true });
    const documents = conversations.map((messages) => encodeConversation(tokenizer, template, messages));
    return rewardsOf(decoder, documents, { signal, onProgress: (done) => emit({ done }) });
  },
  sft(config, context) {
    unload();
    return runSft(config, context);
  },
};

serveEngine(handlers, () => openDevice(process.argv[2] ?? 'auto'));
