/** Settings from the environment and from a git-ignored `.env` in the working folder (the environment wins). */
import { existsSync, readFileSync } from 'node:fs';
import { rememberSecret } from './redact.ts';

/** Reads `.env` (lines `NAME=value`, quotes optional, # comments) into process.env where a name is not set yet. */
export function loadDotEnv(file = '.env'): void {
  if (existsSync(file)) {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
      if (!match) continue;
      const [, name, value] = match as unknown as [string, string, string];
      process.env[name] ??= value.replace(/^(["'])(.*)\1$/, '$2');
    }
  }
  for (const [name, value] of Object.entries(process.env)) {
    if (/(_|^)(KEY|TOKEN|SECRET|PASSWORD)$/.test(name)) rememberSecret(value);
  }
}
