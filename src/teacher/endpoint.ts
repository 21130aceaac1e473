/**
 * Where a vendor is and with which key: settings and environment become one checked address. The address comes from the
 * configuration alone (no OPENAI_BASE_URL or the like), because it decides who is given the key and whether asking costs
 * money. Credentials inside an address are taken out and remembered as secrets; `baseUrl` never shows them.
 */
import { ConfigError } from '../base/errors.ts';
import { rememberSecret } from '../base/redact.ts';
import type { BatchSettings } from './batch-vendor.ts';
import { isFree, type ListedPrice, listedPrice, priceList, priceTimes, readPriceList } from './prices.ts';
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
  readonly price?: (Price & { readonly batch?: number | undefined }) | undefined;
  /** A file of prices that go before the listed ones. Default: that in UNDERSTUDY_PRICES. */
  readonly prices?: string | undefined;
  /** Requests go by the provider's batch interface. */
  readonly batch?: boolean | BatchSettings | undefined;
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
  /** Of a call as it will be made: by itself or in a batch. */
  readonly price: Price | undefined;
  /** Of a call in a batch; undefined: not known. */
  readonly batchPrice: Price | undefined;
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
    ...money(config, url, baseUrl === vendor.baseUrl, environment),
  };
}

/** As the SDK sends them: credentials of the address win over the key. */
export function credentials({ provider, apiKey, headers }: Endpoint): Record<string, string> {
  if (apiKey === undefined) return { ...headers };
  return provider === 'anthropic'
    ? { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', ...headers }
    : { Authorization: `Bearer ${apiKey}`, ...headers };
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

/**
 * Free is only what runs on this machine or what the user prices at 0; list prices hold at the vendor's own address, the
 * user's own file everywhere.
 */
function money(
  config: VendorConfig,
  url: URL,
  official: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): Pick<Endpoint, 'paid' | 'price' | 'batchPrice'> {
  const unknown = { price: undefined, batchPrice: undefined };
  if (!config.price && isLoopback(url.hostname)) return { paid: false, ...unknown };
  const found = priceOf(config, official, environment['UNDERSTUDY_PRICES']?.trim());
  if (!found) return { paid: true, ...unknown };
  const { price } = found;
  if (isFree(price)) return { paid: false, ...unknown };
  const share = found.batchShare ?? (official ? priceList().batch[config.provider] : undefined);
  const batchPrice = share === undefined ? undefined : priceTimes(price, share);
  if (config.batch && !batchPrice) warnOfFullPrice(config.model);
  return { paid: true, price: config.batch ? (batchPrice ?? price) : price, batchPrice };
}

function priceOf(
  { price: given, prices, model }: VendorConfig,
  official: boolean,
  usual: string | undefined,
): ListedPrice | undefined {
  if (given) {
    const { batch, ...price } = given;
    return { price, batchShare: batch };
  }
  const file = prices ?? usual;
  return (file ? listedPrice(model, readPriceList(file)) : undefined) ?? (official ? listedPrice(model) : undefined);
}

const warned = new Set<string>();

/** Not guessed: a cost that is too high can be corrected, one that is too low has been spent. */
function warnOfFullPrice(model: string): void {
  if (warned.has(model)) return;
  warned.add(model);
  process.emitWarning(
    `teacher: what ${model} costs in a batch is not known and is counted as by itself; give its price a batch: 0.5`,
  );
}

export function isLoopback(hostname: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/i.test(hostname);
}
