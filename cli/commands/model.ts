import { Option } from 'commander';
import { Command, command } from '../command.ts';
import { say } from '../terminal.ts';

const dtypes = ['float32', 'bfloat16'] as const;

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
  return new Command('model').description('models as files').addCommand(fromGguf);
}
