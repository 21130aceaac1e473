import type { SftConfig } from '../../recipes/sft-config.ts';
import { Command, command, modelFolder, positiveNumber, realNumber, wholeNumber, withEngine } from '../command.ts';
import { printJson, progressBar } from '../terminal.ts';

export function trainCommand(): Command {
  return new Command('train').description('train a student').addCommand(sftCommand());
}

function sftCommand(): Command {
  return command('sft', 'fine-tune a model on instruction data; goes on where it stopped', [
    'train sft --model builtin --data my-data.json --out my-student',
    'train sft --model base-model --template alpaca --data alpaca.json --epochs 3 --lr 2e-5 --out student',
  ])
    .requiredOption('--model <folder>', 'model to train: a Hugging Face folder, or builtin')
    .requiredOption('--data <files...>', 'Alpaca, ShareGPT or messages files')
    .requiredOption('--out <folder>', 'folder of the trained model, its log and its checkpoints')
    .option('--template <name>', 'chat template: alpaca, chatml or a Jinja file (default: the model’s own)')
    .option('--dtype <type>', 'compute in auto, float32 or bfloat16', 'auto')
    .option('--epochs <n>', 'passes over the data', positiveNumber)
    .option('--lr <rate>', 'peak learning rate', realNumber)
    .option('--warmup-ratio <share>', 'share of the steps spent warming up', realNumber)
    .option('--batch-tokens <n>', 'tokens of one optimizer step', positiveNumber)
    .option('--pack-tokens <n>', 'tokens computed at once: decides the memory', positiveNumber)
    .option('--max-tokens <n>', 'longest conversation', positiveNumber)
    .option('--max-train-tokens <n>', 'end after so many tokens', positiveNumber)
    .option('--weight-decay <n>', 'decoupled weight decay', realNumber)
    .option('--max-grad-norm <n>', 'largest global gradient norm; 0 does not clip', realNumber)
    .option('--checkpoint-every <steps>', 'steps between checkpoints', positiveNumber)
    .option('--seed <n>', 'order of the data', wholeNumber)
    .option('--threads <n>', 'threads of the engine', positiveNumber)
    .option('--json', 'print one JSON document')
    .action(runSft);
}

interface SftFlags {
  readonly model: string;
  readonly data: string[];
  readonly out: string;
  readonly threads?: number;
  readonly json?: boolean;
  readonly lr?: number;
  readonly checkpointEvery?: number;
  readonly [flag: string]: unknown;
}

async function runSft({ model, out, lr, checkpointEvery, threads, json, ...rest }: SftFlags): Promise<void> {
  const { parseConfig } = await import('../../src/run/config.ts');
  const { sftSchema } = await import('../../recipes/sft-config.ts');
  const { checkSftInput } = await import('../../recipes/sft-input.ts');
  const { showSft } = await import('../../recipes/show-sft.ts');
  const flags = {
    ...rest,
    model: modelFolder(model),
    output: out,
    learningRate: lr,
    checkpointEverySteps: checkpointEvery,
  };
  const config: SftConfig = parseConfig(sftSchema, flags, 'train sft');
  checkSftInput(config);
  const result = await withEngine({ threads }, (engine, signal) =>
    showSft(progressBar('training'), (onEvent) => engine.call('sft', config, { signal, onEvent })),
  );
  if (json) printJson(result);
}
