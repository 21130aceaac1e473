import { Option } from 'commander';
import { Command, command, withEngine } from '../command.ts';
import { printJson, say } from '../terminal.ts';

const dtypes = ['float32', 'bfloat16'] as const;

interface MergeFlags {
  readonly adapter: string;
  readonly out: string;
  readonly dtype: (typeof dtypes)[number];
  readonly json?: boolean;
}

export function modelCommand(): Command {
  const fromGguf = command('from-gguf', 'turn a GGUF file into a Hugging Face model folder', [
    'model from-gguf --input model.gguf --out my-model',
  ])
    .requiredOption('--input <file>', 'GGUF file of a Llama, Mistral, Qwen2 or Qwen3 model, Q2_K to F32')
    .requiredOption('--out <folder>', 'folder to write')
    .addOption(new Option('--dtype <type>', 'store weights in').choices(dtypes).default('float32'))
    .action(async ({ input, out, dtype }: { input: string; out: string; dtype: (typeof dtypes)[number] }) => {
      // Part of the set-up itself: it must not wait for the set-up.
      const { convertGguf } = await import('../../recipes/convert-gguf.ts');
      const { parameters } = await convertGguf(input, out, dtype);
      say(`${out}: ${(parameters / 1e6).toFixed(1)} million parameters`);
    });
  const merge = command('merge', 'merge adapters into the model they belong to', [
    'model merge --adapter my-adapters --out my-model',
  ])
    .requiredOption('--adapter <folder>', 'PEFT folder of LoRA adapters')
    .requiredOption('--out <folder>', 'folder to write')
    .addOption(new Option('--dtype <type>', 'store weights in').choices(dtypes).default('float32'))
    .option('--json', 'print one JSON document')
    .action(async ({ adapter, out: output, dtype, json }: MergeFlags) => {
      const { checkMergeOutput } = await import('../../recipes/merge.ts');
      checkMergeOutput({ adapter, output });
      const result = await withEngine({}, (engine) => engine.call('merge', { adapter, output, dtype }, {}));
      if (json) printJson(result);
      const { largestLogitDifference: difference, logitRange, tokens } = result;
      say(
        `${output}: ${dtype}; largest difference of a logit ${difference.toExponential(1)}, where logits span ` +
          `${logitRange.toFixed(0)} (${tokens} positions)`,
      );
    });
  return new Command('model').description('models as files').addCommand(fromGguf).addCommand(merge);
}
