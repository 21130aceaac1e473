/** Loads the addon into this process, once. Only the engine's process and native tests do; see src/run/engine-process.ts. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { NativeError } from '../base/errors.ts';
import { addonFile } from '../base/paths.ts';
import type { Addon } from './addon.ts';

let loaded: Addon | undefined;

export function addon(): Addon {
  if (loaded) return loaded;
  if (!existsSync(addonFile)) {
    throw new NativeError(`the native addon is not built: ${addonFile} is missing`, { hint: 'run: npm run setup' });
  }
  try {
    loaded = createRequire(import.meta.url)(addonFile) as Addon;
  } catch (error) {
    throw new NativeError(`the native addon does not load: ${(error as Error).message}`, {
      hint: 'run: npm run setup (it rebuilds the addon when libtorch has changed)',
      cause: error,
    });
  }
  return loaded;
}
