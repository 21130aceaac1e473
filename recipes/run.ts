/**
 * The main job, in order: a teacher answers given instructions, translates some and answers these, writes new ones and
 * answers them, the data
 * are cleaned of the test questions, the student is fine-tuned on them, asked before and after, and reported on.
 * Every stage has a folder of its own, named by what it depends on: run again, what is done is found.
 */
import { existsSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { writeFileAtomic, writeJsonAtomic } from '../src/base/atomic.ts';
import { WorkError } from '../src/base/errors.ts';
import { readJson, toJsonl } from '../src/base/jsonl.ts';
import { version } from '../src/base/paths.ts';
import { withoutSecrets } from '../src/base/redact.ts';
import { contaminated } from '../src/data/decontaminate.ts';
import { readConversations, readQuestions, readSeeds, toMessagesJsonl } from '../src/data/formats.ts';
import { type DataStatistics, dataStatistics } from '../src/data/statistics.ts';
import { countTasks, streamTasks } from '../src/data/tasks.ts';
import { type EvaluationSummary, lossImproved } from '../src/evaluate/summary.ts';
import type { StageCost } from '../src/report/report-input.ts';
import { runStage, type StageInput, type StageResult } from '../src/run/stage.ts';
import * as answerGiven from './answer-given.ts';
import type { RunContext } from './context.ts';
import * as evaluate from './evaluate.ts';
import * as generate from './generate.ts';
import { folderOf, modelName, teacherIdentity } from './local-models.ts';
import { type LoopResult, run as runLoop } from './loop.ts';
import { plannedLoop } from './loop-quote.ts';
import type { MadeData } from './made-data.ts';
import { checkMemory, inSection } from './plan-train.ts';
import { assertMaySpend, plannedRun } from './quote.ts';
import { run as report } from './report.ts';
import type { RunConfig } from './run-config.ts';
import { type RunRecord, runFile, statisticsFile, trainFile } from './run-record.ts';
import type { SftResult } from './sft.ts';
import { checkAddedTokens } from './sft-input.ts';
import { showTraining } from './show-training.ts';
import { resultFiles } from './training-config.ts';
import * as translate from './translate.ts';

export interface RunResult {
  readonly report: string;
  readonly model: string;
  readonly summary: EvaluationSummary;
  readonly loop?: LoopResult;
}

export async function run(
  config: RunConfig,
  context: RunContext,
  { ignoreMemory = false }: { readonly ignoreMemory?: boolean | undefined } = {},
): Promise<RunResult> {
  const { output, seeds: seedFiles } = config;
  const seeds = readSeeds(seedFiles);
  const made: StageResult<MadeData>[] = [];
  // Before the first stage that has something to do: training fits, every teacher answers, nothing is spent unasked.
  let ready: Promise<void> | undefined;
  const prepare = async (first: string) => {
    if (first !== 'evaluate') await checkTraining(config, context, ignoreMemory);
    const plans = await plannedRun(config, seeds, context.teacher);
    const ofLoop = config.loop ? await plannedLoop(config.loop, seedFiles, context.teacher) : [];
    assertMaySpend([...plans, ...ofLoop], context);
  };
  const beReady = (stage: string) => {
    ready ??= prepare(stage);
    return ready;
  };
  const stageOf = <Result>(input: StageInput, work: (folder: string) => Promise<Result>) =>
    runStage(output, input, async (folder) => {
      await beReady(input.name);
      return work(folder);
    });

  // 1. The teacher's answers to given instructions.
  if (config.answer) {
    const { instructions, teacher, ...settings } = config.answer;
    const identity = { ...settings, teacher: await teacherIdentity(teacher) };
    const stage = { name: 'answer', files: instructions, settings: identity };
    const work = async (folder: string) => {
      const total = await countTasks(instructions);
      return answerGiven.run({ ...settings, teacher }, () => streamTasks(instructions), total, folder, context);
    };
    made.push(told(await stageOf(stage, work), 'answer', context));
  }

  // 2. Given instructions in another language, and the teacher's answers in it.
  if (config.translate) {
    const { instructions, teacher, ...settings } = config.translate;
    const identity = { ...settings, teacher: await teacherIdentity(teacher) };
    const stage = { name: 'translate', files: instructions, settings: identity };
    const work = async (folder: string) => {
      const total = await countTasks(instructions);
      return translate.run({ ...settings, teacher }, () => streamTasks(instructions), total, folder, context);
    };
    made.push(told(await stageOf(stage, work), 'translate', context));
  }

  // 3. New instructions, and the teacher's answers to them.
  const { generate: generating } = config;
  if (generating) {
    const identity = { ...generating, teacher: await teacherIdentity(generating.teacher) };
    const stage = { name: 'generate', files: seedFiles, settings: identity };
    const work = (folder: string) => generate.run(generating, seeds, folder, context);
    made.push(told(await stageOf(stage, work), 'generate', context));
  }

  // 4. The training data: everything made, less what overlaps with the test questions.
  const parts = made.map(({ folder, result }) => ({ file: join(folder, result.file), result }));
  const dataStage = {
    name: 'data',
    files: [...parts.map(({ file }) => file), ...config.evaluate.questions],
    settings: {},
  };
  const data = await stageOf(dataStage, async (folder) => collect(parts, config, folder));

  // 5. Supervised fine-tuning.
  const student = await modelName(config.sft.model);
  const dataFile = join(data.folder, trainFile);
  const sftStage = { name: 'sft', files: [dataFile], settings: { ...config.sft, model: student } };
  const sft = await stageOf(sftStage, async (folder): Promise<SftResult> => {
    const { device } = config;
    const settings = { ...config.sft, device, model: folderOf(config.sft.model), data: [dataFile], output: folder };
    const engine = await context.engine();
    return showTraining(context.progress('training'), (onEvent) =>
      engine.call('sft', settings, { signal: context.signal, onEvent }),
    );
  });
  told(sft, 'training', context);

  // 6. Before and after.
  const students = { before: config.sft.model, after: sft.folder };
  const { judge, scorer } = config.evaluate;
  const evaluateStage = {
    name: 'evaluate',
    files: [...config.evaluate.questions, ...seedFiles],
    settings: {
      ...config.evaluate,
      before: student,
      after: await modelName(sft.folder),
      judge: judge && (await teacherIdentity(judge)),
      scorer: scorer && { ...scorer, model: await modelName(scorer.model) },
    },
  };
  const evaluation = await stageOf(evaluateStage, (folder) =>
    evaluate.run(config.evaluate, students, seeds, folder, context),
  );
  told(evaluation, 'evaluation', context);

  // 7. Feedback, a reward model and reinforcement learning, in rounds.
  const loop =
    config.loop &&
    (await runLoop(config.loop, sft.folder, { ...context, seeds: seedFiles, device: config.device, stage: stageOf }));

  // 8. The report.
  const record: RunRecord = {
    config: withoutSecrets(config) as RunConfig,
    versions: { understudy: version, node: process.versions.node },
    finishedAt: new Date().toISOString(),
    stages: { data: basename(data.folder), sft: basename(sft.folder), evaluate: basename(evaluation.folder) },
    ...(loop && { loop: inRun(loop, output) }),
    costs: costsOf(context),
  };
  writeRecord(output, record);
  const page = report(output);
  if (config.evaluate.requireLowerLoss && !lossImproved(evaluation.result)) {
    throw new WorkError('the held-out loss did not clearly fall', { hint: `see ${page}` });
  }
  return { report: page, model: loop?.model ?? sft.folder, summary: evaluation.result, ...(loop && { loop }) };
}

/** As `train sft`: what cannot be trained here is neither taught nor paid for. */
async function checkTraining(
  { sft, output, device }: RunConfig,
  { engine, progress }: RunContext,
  ignoreMemory: boolean,
): Promise<void> {
  const settings = { ...sft, device, model: folderOf(sft.model), data: [], output };
  const askEngine = async () => (await engine()).call('machine', null);
  checkAddedTokens(settings);
  if (ignoreMemory) return;
  const onDoubt = (text: string) => progress('training').note(text);
  await checkMemory(settings, resultFiles.sft, { askEngine, onDoubt, spelling: inSection('sft') });
}

/** A run found whole keeps the day it was finished. */
function writeRecord(output: string, record: RunRecord): void {
  const file = join(output, runFile);
  const before = existsSync(file) ? (readJson(file) as Partial<RunRecord>) : {};
  const essence = ({ config, stages, loop }: Partial<RunRecord>) => JSON.stringify([config, stages, loop]);
  if (essence(before) !== essence(record)) writeJsonAtomic(file, record);
}

/** Folders as they stand in the run's, which may be moved. */
const inRun = (loop: LoopResult, output: string): LoopResult => ({
  ...loop,
  model: relative(output, loop.model),
  rounds: loop.rounds.map((round) => {
    const { compare, reward, rl, check } = round.folders;
    const [own, rewards, policy, checks] = [compare, reward, rl, check].map((folder) => relative(output, folder));
    return { ...round, folders: { compare: own!, reward: rewards!, rl: policy!, check: checks! } };
  }),
});

function told<T>(stage: StageResult<T>, name: string, { progress }: RunContext): StageResult<T> {
  if (stage.found) progress(name).finish('done before');
  return stage;
}

/** Joins the parts, takes out what a test question would be recognised in, and counts. */
function collect(
  parts: readonly { readonly file: string; readonly result: MadeData }[],
  { evaluate: { questions } }: RunConfig,
  folder: string,
): { rows: number; contaminated: number } {
  const held = readQuestions(questions);
  const statistics: DataStatistics[] = [];
  const removed: unknown[] = [];
  const kept = parts.flatMap(({ file, result }) => {
    const all = result.rows > 0 ? readConversations(file) : [];
    const overlaps = contaminated(all, held);
    const names = new Set(overlaps.map(({ id }) => id));
    removed.push(...overlaps);
    const clean = all.filter(({ id }) => !names.has(id));
    const rejected = { ...result.rejected, ...(names.size > 0 && { 'overlaps with a test question': names.size }) };
    statistics.push(dataStatistics(result.name, clean, { teacher: result.teacher, rejected }));
    return clean;
  });
  if (kept.length === 0) {
    throw new WorkError('no row is left to train on', { hint: 'rejects.jsonl beside the data says why each went' });
  }
  writeFileAtomic(join(folder, trainFile), toMessagesJsonl(kept));
  writeFileAtomic(join(folder, 'removed.jsonl'), toJsonl(removed));
  writeJsonAtomic(join(folder, statisticsFile), statistics);
  return { rows: kept.length, contaminated: removed.length };
}

function costsOf({ ledger }: RunContext): StageCost[] {
  const tokens = ledger.tokensByStage();
  return Object.entries(ledger.spent().byStage).map(([stage, totals]) => ({
    stage,
    calls: totals.storedCalls,
    inputTokens: tokens[stage]?.inputTokens ?? 0,
    outputTokens: tokens[stage]?.outputTokens ?? 0,
    usd: totals.storedUsd,
    unpricedCalls: totals.unpricedCalls,
    inDoubtCalls: totals.inDoubtCalls,
    inDoubtUsd: totals.inDoubtUsd + totals.lostUsd,
  }));
}
