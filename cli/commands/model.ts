import { Command, command } from '../command.ts';
import { say } from '../terminal.ts';

export function modelCommand(): Command {
  const fromGguf = command('from-gguf', 'turn a GGUF file into a Hugging Face model folder', [
    'model from-gguf --input model.gguf --out my-model',
  ])
    .requiredOption('--input <file>', 'GGUF file (F32, F16, BF16, Q8_0, Q4_0, Q4_1)')
    .requiredOption('--out <folder>', 'folder to write')
    .action(async ({ input, out }: { input: string; out: string }) => {
      // Part of the set-up itself: it must not wait for the set-up.
      const { convertGguf } = await import('../../recipes/convert-gguf.ts');
      const { parameters } = await convertGguf(input, out);
      say(`${out}: ${(parameters / 1e6).toFixed(1)} million parameters`);
    });
  return new Command('model').description('models as files').addCommand(fromGguf);
}
