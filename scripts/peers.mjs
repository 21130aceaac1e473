/**
 * `npm run test:peers`: holds the product against other implementations, run from Python: transformers loads what we
 * save and gives the same logits and token ids; PEFT loads our adapters; TensorBoard reads our event files; llama.cpp
 * (by node-llama-cpp, and by its own server) and `transformers serve` are teachers. Makes a virtual environment of its own
 * (.venv-peers, about 1.6 GB). Where that cannot be made it skips, loudly; with CI set it fails instead.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const python = join(root, '.venv-peers', 'bin', 'python');
const torch = ['torch==2.13.0+cpu'];
const packages = ['transformers==5.23.0', 'safetensors==0.8.0', 'numpy==2.4.6', 'tensorboard==2.21.0', 'peft==0.21.2'];
/** Servers that teachers are tried on: llama.cpp's, and what `transformers serve` needs. */
const servers = ['xllamacpp==2026.10.11549', 'fastapi==0.165.0', 'uvicorn==0.54.0', 'openai==3.54.0'];
const modules = 'torch, transformers, tensorboard, peft, xllamacpp, fastapi, uvicorn, openai';

const run = (command, args, options = {}) =>
  spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options }).status === 0;

function install() {
  if (existsSync(python) && run(python, ['-c', `import ${modules}`], { stdio: 'ignore' })) return true;
  console.log(`test:peers: making .venv-peers (${modules}); some minutes`);
  const pip = ['-m', 'pip', 'install', '--quiet'];
  return (
    run('python3', ['-m', 'venv', '.venv-peers']) &&
    run(python, [...pip, ...torch]) &&
    run(python, [...pip, ...packages, ...servers])
  );
}

if (!install()) {
  console.error('test:peers: SKIPPED: its packages could not be installed from your package index');
  process.exitCode = process.env['CI'] ? 1 : 0;
} else {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const env = { ...process.env, PEERS_PYTHON: python, HF_HUB_OFFLINE: '1' };
  const passed = run(process.execPath, [vitest, 'run', '--config', 'vitest.peers.config.ts'], { env });
  process.exitCode = passed ? 0 : 1;
}
