/**
 * `npm run test:browser`: looks at pages in a real Chromium. Installs Debian's where it may (apt, as root); where there
 * is none it skips, loudly; with CI set it fails instead.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const known = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const find = () => known.find((path) => path !== undefined && existsSync(path));
const run = (command, args, options = {}) =>
  spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options }).status === 0;

if (find() === undefined && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  console.log('test:browser: installing Chromium (apt-get)');
  const quiet = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  run('apt-get', ['update'], quiet);
  run('apt-get', ['install', '-y', '--no-install-recommends', 'chromium', 'fonts-noto-cjk'], quiet);
}
const chromium = find();
if (chromium === undefined) {
  console.error('test:browser: SKIPPED: no Chromium; install one, or name it in CHROMIUM');
  process.exitCode = process.env['CI'] ? 1 : 0;
} else {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const env = { ...process.env, CHROMIUM: chromium };
  process.exitCode = run(process.execPath, [vitest, 'run', '--config', 'vitest.browser.config.ts'], { env }) ? 0 : 1;
}
