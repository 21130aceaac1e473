/**
 * Supervised fine-tuning (the paper's section 3.1; Taori et al. 2023): next-token cross-entropy on the answers of
 * instruction data, the end-of-turn token included, with AdamW and a cosine schedule.
 *
 * Departures from the paper's run: documents are packed without padding and attend to themselves alone; the loss of a
 * step is the mean over all its label tokens, however many packs it took; weights are fp32 masters under the compute
 * type. Runs in the engine's process; the loop, and what is saved and resumed, are training.ts's.
 */
import { ConfigError } from '../src/base/errors.ts';
import { readConversations } from '../src/data/formats.ts';
import {
  type EncodingReceipt,
  encodeDocuments,
  holdOut,
  packTokens,
  planTraining,
  type TokenDocument,
} from '../src/data/pack.ts';
import { answerLogprobs } from '../src/infer/logprobs.ts';
import { loadModel } from '../src/local/loaded-model.ts';
import type { Decoder } from '../src/model/decoder.ts';
import type { Executor } from '../src/train/executor.ts';
import type { SftConfig } from './sft-config.ts';
import { checkOutput } from './sft-input.ts';
import { refuseUselessLabels } from './sft-labels.ts';
import { withAddedTokens } from './sft-tokens.ts';
import {
  inFolder,
  type Lesson,
  type Measured,
  type PackPart,
  type PlannedStep,
  type StepLearning,
  type TrainingContext,
  type TrainingResult,
  train,
} from './training.ts';
import { resultFiles } from './training-config.ts';
import { loadingDtype } from './training-student.ts';

/** Also written to sft.json beside the model. */
export interface SftResult extends TrainingResult {
  readonly labelTokens: number;
  readonly receipt: EncodingReceipt;
}

export const run = (config: SftConfig, context: TrainingContext): Promise<SftResult> =>
  inFolder(config, context, async () => {
    const note = (text: string) => context.emit({ kind: 'note', text });
    checkOutput(config.output);

    // Conversations become token documents; the whole training is planned before its first step.
    const conversations = config.data.flatMap((file) => readConversations(file));
    const loaded = loadModel(config.model, { dtype: loadingDtype(config), template: config.template });
    const model = withAddedTokens(loaded, config, conversations, note);
    const { maxPositions } = model.decoder.config;
    if (config.maxTokens > maxPositions) {
      throw new ConfigError(`maxTokens: the model has ${maxPositions} positions, got ${config.maxTokens}`);
    }
    const encoded = encodeDocuments(conversations, model.tokenizer, model.template, config.maxTokens);
    const { documents: all, receipt } = encoded;
    refuseUselessLabels(config, model, all, receipt);
    const { training: documents, heldOut } = holdOut(all, config.evalShare, config.seed);
    const steps = planTraining(documents, config).map(({ epoch, packs, labelTokens }) => {
      return { epoch, labelTokens, parts: packs.map((pack) => ({ pack })) };
    });
    if (steps.length === 0) {
      throw new ConfigError(`maxTrainTokens: ${config.maxTrainTokens} is less than the first document has`);
    }
    if (config.stepInBackward && steps.some(({ parts }) => parts.length > 1)) {
      throw new ConfigError('stepInBackward: a step must be one pack, and here some are several', {
        hint: `set batchTokens (${config.batchTokens}) no larger than packTokens (${config.packTokens})`,
      });
    }
    const labelTokens = steps.reduce((sum, step) => sum + step.labelTokens, 0);
    const tokens = steps.reduce(
      (sum, { parts }) => sum + parts.reduce((part, { pack }) => part + packTokens(pack), 0),
      0,
    );
    for (const { message } of [...receipt.cut, ...receipt.dropped].slice(0, 5)) note(message);
    note(
      `${receipt.kept} of ${receipt.rows} rows kept (${receipt.cut.length} cut, ${receipt.dropped.length} dropped), ` +
        `${heldOut.length} held out, ${steps.length} steps, ${tokens} tokens, ${labelTokens} of them to learn`,
    );

    const lesson: Lesson<SftStep> = {
      resultFile: resultFiles.sft,
      learned: all.map(({ ids, labelMask }) => [ids, [...labelMask].join('')]),
      steps,
      begin: crossEntropy,
      ...(heldOut.length > 0 && {
        heldOut: { rows: heldOut.length, measure: (decoder: Decoder) => lossOn(heldOut, decoder) },
      }),
    };
    return train(config, model, lesson, { labelTokens, receipt }, context);
  });

interface SftStep extends PlannedStep {
  readonly labelTokens: number;
}

/** The mean over all label tokens of the step, whatever packs they came in. */
function crossEntropy(executor: Executor, { labelTokens }: SftStep): StepLearning<PackPart> {
  let sum = 0;
  return {
    learn({ pack }, gradients, onReady, dropout) {
      sum += executor.forwardBackward(pack, gradients, 1 / labelTokens, onReady, dropout);
    },
    measured: () => ({ loss: sum / labelTokens }),
  };
}

/** Mean over the label tokens, in nats. */
async function lossOn(documents: readonly TokenDocument[], decoder: Decoder): Promise<Measured> {
  const results = await answerLogprobs(decoder, documents);
  const [sum, tokens] = results.reduce(([s, t], one) => [s + one.sum, t + one.tokens], [0, 0] as [number, number]);
  return { loss: -sum / tokens };
}
