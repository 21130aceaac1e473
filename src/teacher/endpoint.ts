/**
 * Where a vendor is and with which key: settings and environment become one checked address. The address comes from the
 * configuration alone (no OPENAI_BASE_URL or the like), because it decides who is given the key and whether asking costs
 * money. Credentials inside an address are taken out and remembered as secrets; `baseUrl` never shows them.
 */
import { ConfigError } from '../base/errors.ts';
import { rememberSecret } from '../base/redact.ts';
import { isFree, listedPrice } from './prices.ts';
import type { Price } from './teacher.ts';

export type Provider = 'openai' | 'anthropic' | 'openai-compatible';

export interface VendorConfig {
  readonly provider: Provider;
  readonly model: string;
  readonly baseUrl?: string | undefined;
  /** Name of the environment variable with the key. */
  readonly apiKeyEnv?: string | undefined;
  readonly concurrency: number;
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  readonly timeoutSeconds: number;
  readonly price?: Price | undefined;
}

export interface Endpoint {
  readonly provider: Provider;
  readonly model: string;
  /** No credentials, no trailing slash. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  /** The variable the key was read from. */
  readonly apiKeyEnv: string | undefined;
  /** Basic authentication, where the address carried a user. */
  readonly headers: Readonly<Record<string, string>>;
  readonly paid: boolean;
  readonly price: Price | undefined;
}

const vendors = {
  openai: { baseUrl: 'https://api.openai.com/v1', apiKeyEnv: 'OPENAI_API_KEY' },
  anthropic: { baseUrl: 'https://api.anthropic.com/v1', apiKeyEnv: 'ANTHROPIC_API_KEY' },
  // No default key: OpenAI's must not go to just any server that speaks its protocol.
  'openai-compatible': { baseUrl: undefined, apiKeyEnv: undefined },
} as const;

export function resolveEndpoint(
  config: VendorConfig,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Endpoint {
  const vendor = vendors[config.provider];
  const address = config.baseUrl ?? vendor.baseUrl;
  if (address === undefined) throw new ConfigError(`provider ${config.provider}: expected a baseUrl, got none`);
  const { url, headers } = splitAddress(address);
  const baseUrl = url.href.replace(/\/+$/, '');
  const apiKeyEnv = config.apiKeyEnv ?? vendor.apiKeyEnv;
  const apiKey = apiKeyEnv === undefined ? undefined : readKey(apiKeyEnv, environment);
  return {
    provider: config.provider,
    model: config.model,
    baseUrl,
    apiKey,
    apiKeyEnv,
    headers,
    ...money(config, url, baseUrl === vendor.baseUrl),
  };
}

function splitAddress(address: string): { url: URL; headers: Record<string, string> } {
  const hint = 'for example http://localhost:8000/v1 or https://api.example.com/v1';
  if (!URL.canParse(address)) throw new ConfigError('baseUrl: expected an address, got something else', { hint });
  const url = new URL(address);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new ConfigError(`baseUrl: expected http or https, got ${url.protocol}//`, { hint });
  if (url.search !== '' || url.hash !== '')
    throw new ConfigError('baseUrl: expected no query and no fragment', {
      hint: `give the path alone, ${hint}; a key goes into an environment variable named by apiKeyEnv`,
    });
  if (username === '' && password === '') return { url, headers: {} };
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const basic = Buffer.from(user).toString('base64');
  for (const secret of [password, decodeURIComponent(password), basic]) rememberSecret(secret);
  return { url, headers: { Authorization: `Basic ${basic}` } };
}

function readKey(name: string, environment: Readonly<Record<string, string | undefined>>): string {
  const key = environment[name]?.trim();
  if (!key)
    throw new ConfigError(`the environment variable ${name} is not set`, {
      hint: `put ${name}=<your key> into .env or the environment, or name another variable with apiKeyEnv`,
    });
  rememberSecret(key);
  return key;
}

/** Free is only what runs on this machine or what the user prices at 0; list prices hold at the vendor's own address. */
function money(config: VendorConfig, url: URL, official: boolean): Pick<Endpoint, 'paid' | 'price'> {
  if (config.price)
    return isFree(config.price) ? { paid: false, price: undefined } : { paid: true, price: config.price };
  if (isLoopback(url.hostname)) return { paid: false, price: undefined };
  return { paid: true, price: official ? listedPrice(config.model) : undefined };
}

export function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(hostname);
}
