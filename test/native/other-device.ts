/** Builds and loads the device of other-device.cpp, for tests of what a GPU will do. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { addonFile } from '../../src/base/paths.ts';
import { addon } from '../../src/native/load.ts';

const build = dirname(addonFile);

/** The module's file, made by the CMake that set-up used: half a minute the first time. */
function buildOtherDevice(): string {
  const cmake = /^CMAKE_COMMAND:INTERNAL=(.*)$/m.exec(readFileSync(join(build, 'CMakeCache.txt'), 'utf8'))?.[1];
  execFileSync(cmake ?? 'cmake', ['--build', build, '--target', 'other_device'], { stdio: 'pipe' });
  return join(build, 'other_device.node');
}

/** Makes device `other` known to this process's libtorch. */
export function loadOtherDevice(): void {
  const file = buildOtherDevice();
  addon(); // libtorch first
  createRequire(import.meta.url)(file);
}
