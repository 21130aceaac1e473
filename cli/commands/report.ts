import { type Command, command } from '../command.ts';
import { print } from '../terminal.ts';

export function reportCommand(): Command {
  return command('report', 'make the report of a run again, from its files', ['report runs/demo'])
    .argument('<run>', 'output folder of a run')
    .action(async (folder: string) => {
      const { run } = await import('../../recipes/report.ts');
      print(`report: ${run(folder)}`);
    });
}
