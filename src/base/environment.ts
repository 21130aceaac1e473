/** Settings from the environment and from a git-ignored `.env` in the working folder (the environment wins). */
import { existsSync, statSync } from 'node:fs';
import { readText } from './jsonl.ts';
import { rememberSecret } from './redact.ts';

/**
 * Reads `.env` into process.env where a name is not set yet: lines `NAME=value`, quotes optional, # comments on lines of
 * their own or after a value and white space. Inside quotes a # is a #.
 */
export function loadDotEnv(file = '.env'): void {
  if (existsSync(file) && statSync(file).isFile()) {
    for (const line of readText(file).split('\n')) {
      const match = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line);
      if (!match) continue;
      const [, name, value] = match as unknown as [string, string, string];
      process.env[name] ??= plainValue(value);
    }
  }
  for (const [name, value] of Object.entries(process.env)) {
    if (/(_|^)(API)?(KEY|TOKEN|SECRET|PASSWORD)$/.test(name)) rememberSecret(value);
  }
}

function plainValue(text: string): string {
  const quoted = /^(["'])(.*?)\1(?:\s+#.*)?$/.exec(text);
  return quoted?.[2] ?? text.replace(/(?:^|\s+)#.*$/, '');
}
