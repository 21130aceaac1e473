import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../../src/base/atomic.ts';
import { ConfigError } from '../../src/base/errors.ts';
import { assetsFolder } from '../../src/base/paths.ts';
import { type Command, command } from '../command.ts';
import { say } from '../terminal.ts';

const schemaFile = 'understudy.schema.json';

export function initCommand(): Command {
  return command('init', 'write a commented understudy.yaml, with a schema for editors', ['init', 'init my-run.yaml'])
    .argument('[file]', 'file to write', 'understudy.yaml')
    .action(async (file: string) => {
      if (existsSync(file)) throw new ConfigError(`${file} is there already`, { hint: 'choose another name' });
      const { runJsonSchema } = await import('../../recipes/run-config.ts');
      const example = readFileSync(join(assetsFolder, 'understudy.example.yaml'), 'utf8');
      writeFileAtomic(join(dirname(file), schemaFile), `${JSON.stringify(runJsonSchema(), null, 2)}\n`);
      writeFileAtomic(file, example.replaceAll('{{assets}}', assetsFolder));
      say(`wrote ${file} and ${schemaFile}\nnext: put your key in the environment, then ./understudy run ${file}`);
    });
}
