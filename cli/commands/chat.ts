import { createInterface } from 'node:readline/promises';
import type { Message } from '../../src/base/message.ts';
import type { LocalModel, LocalSampling } from '../../src/local/local-model.ts';
import type { WeightFormat } from '../../src/model/quantize.ts';
import {
  type Command,
  command,
  deviceOption,
  fetchModel,
  interruptible,
  modelFolder,
  openEngine,
  positiveNumber,
  realNumber,
  wholeNumber,
} from '../command.ts';
import { bold, dim, say } from '../terminal.ts';

interface ChatFlags {
  readonly model: string;
  readonly system?: string;
  readonly template?: string;
  readonly dtype: 'auto' | 'float32' | 'bfloat16';
  readonly device?: string;
  readonly weights: WeightFormat;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
  readonly seed: number;
  readonly threads?: number;
}

export function chatCommand(): Command {
  return command('chat', 'talk to a model in the terminal', ['chat --model builtin', 'chat --model my-student'])
    .requiredOption('--model <folder>', 'a Hugging Face folder, a folder of adapters, org/name on the hub, or builtin')
    .option('--system <text>', 'system turn')
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .option('--dtype <type>', 'compute in auto, float32 or bfloat16', 'auto')
    .addOption(deviceOption())
    .option(
      '--weights <format>',
      'full, or fewer bits once loaded: bf16, int8, int4 (coarse); smaller and faster',
      'full',
    )
    .option('--max-tokens <n>', 'longest answer', positiveNumber, 512)
    .option('--temperature <t>', '0 is greedy', realNumber, 0.7)
    .option('--top-p <p>', 'keep the likeliest tokens that reach p', realNumber, 0.9)
    .option('--repetition-penalty <x>', '1 changes nothing', realNumber, 1.1)
    .option('--seed <n>', 'of the sampling', wholeNumber, 1)
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .action(chat);
}

/** Ctrl-C stops an answer; at the prompt, Ctrl-C or Ctrl-D ends the program. `/new` forgets the conversation. */
async function chat(flags: ChatFlags): Promise<void> {
  const { parseConfig } = await import('../../src/run/config.ts');
  const { answerSchema } = await import('../../recipes/answer-config.ts');
  const { dtype, device, weights, ...sampling } = parseConfig(answerSchema, flags, 'chat');
  const named = modelFolder(flags.model);
  const { checkModel, checkTemplate } = await import('../../recipes/sft-input.ts');
  checkTemplate(flags.template);
  checkModel(named);
  const folder = await interruptible((signal) => fetchModel(named, signal));
  const engine = await openEngine({ threads: flags.threads, device });
  const { engineModel } = await import('../../recipes/engine.ts');
  const model = engineModel(engine, { folder, dtype, weights, template: flags.template });
  const lines = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: process.stdin.isTTY === true,
  });
  const beginning: Message[] = flags.system === undefined ? [] : [{ role: 'system', content: flags.system }];
  let messages = beginning;
  let answering: AbortController | undefined;
  lines.on('SIGINT', () => (answering ? answering.abort() : lines.close()));
  say(dim('Type a message; /new begins anew; Ctrl-D ends.'));
  try {
    lines.setPrompt(bold('you  '));
    lines.prompt();
    for await (const line of lines) {
      if (line.trim() === '/new') messages = beginning;
      else if (line.trim() !== '') {
        answering = new AbortController();
        messages = await turn(model, messages, line, { ...flags, sampling }, answering.signal);
        answering = undefined;
      }
      lines.prompt();
    }
  } finally {
    lines.close();
    engine.stop();
  }
}

/** Streams one answer; an interrupted one is kept as far as it went. */
async function turn(
  model: LocalModel,
  before: readonly Message[],
  line: string,
  { maxTokens, sampling }: { readonly maxTokens: number; readonly sampling: LocalSampling },
  signal: AbortSignal,
): Promise<Message[]> {
  const messages: Message[] = [...before, { role: 'user', content: line }];
  let text = '';
  process.stdout.write(bold('model '));
  try {
    await model.answer([{ key: `turn-${messages.length}`, messages, maxTokens, sampling, stop: [] }], {
      signal,
      onEvent(event) {
        if (!('text' in event)) return;
        text += event.text;
        process.stdout.write(event.text);
      },
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    process.stdout.write(dim(' [stopped]'));
  }
  process.stdout.write('\n');
  return [...messages, { role: 'assistant', content: text }];
}
