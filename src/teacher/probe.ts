/**
 * Asks a vendor for its list of models before any work: is it there, does it take the key, does it know the model. Costs
 * nothing. A server without such a list (404, 405) counts as reachable, and so does a compatible one that fails at it
 * (500); whether it knows the model shows at the first call. Every failure is a TeacherSetupError that names the address
 * without credentials.
 */
import { InterruptedError, TeacherSetupError } from '../base/errors.ts';
import { nearestName } from '../base/nearest.ts';
import { redact } from '../base/redact.ts';
import { withDeadline } from './deadline.ts';
import { credentials, type Endpoint } from './endpoint.ts';
import { connectionCode } from './retry.ts';
import { quote, setupHint } from './vendor-errors.ts';

const probeTimeoutMs = 10_000;

interface Reply {
  readonly status: number;
  readonly body: string;
}

export async function probeEndpoint(endpoint: Endpoint, signal?: AbortSignal): Promise<void> {
  // Anthropic pages its list by 20 and takes up to 1,000; others ignore the parameter.
  const path = endpoint.provider === 'anthropic' ? '/models?limit=1000' : '/models';
  const reply = await get(endpoint, path, signal);
  if (reply.status >= 400) return judgeStatus(endpoint, reply);
  const models = modelNames(endpoint, reply.body);
  // A compatible server may serve one model under any name, and lists of proxies are seldom complete.
  if (endpoint.provider === 'openai-compatible' || models.includes(endpoint.model)) return;
  // Aliases are not listed but found by name.
  const single = await get(endpoint, `/models/${encodeURIComponent(endpoint.model)}`, signal);
  if (single.status !== 404) return;
  const near = nearestName(endpoint.model, models);
  throw new TeacherSetupError(`${endpoint.baseUrl} has no model ${JSON.stringify(endpoint.model)}`, {
    status: 404,
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
}

function judgeStatus(endpoint: Endpoint, { status, body }: Reply): void {
  const said = quote(body);
  const message = `${endpoint.baseUrl}: HTTP ${status}${said && `: ${said}`}`;
  if (status === 401 || status === 403)
    throw new TeacherSetupError(message, { status, hint: setupHint(status, endpoint) });
  // 429 is an answer of someone who is there; 501 is 405 by another name.
  if (status < 500 || status === 501) return;
  // Servers that answer well can fail at their list: `transformers serve` does where no hub cache is.
  if (status === 500 && endpoint.provider === 'openai-compatible') return;
  throw new TeacherSetupError(message, { status, hint: 'the server is there but not working; run again when it does' });
}

function modelNames(endpoint: Endpoint, body: string): string[] {
  let parsed: { data?: { id?: string }[] } | null;
  try {
    parsed = JSON.parse(body) as { data?: { id?: string }[] } | null;
  } catch {
    throw new TeacherSetupError(`${endpoint.baseUrl}/models: expected JSON, got ${JSON.stringify(body.slice(0, 40))}`, {
      hint: 'this is not the interface of a model; most servers have it under /v1',
    });
  }
  return Array.isArray(parsed?.data) ? parsed.data.flatMap((model) => model.id ?? []) : [];
}

async function get(endpoint: Endpoint, path: string, signal: AbortSignal | undefined): Promise<Reply> {
  const deadline = withDeadline(probeTimeoutMs, signal);
  try {
    const response = await fetch(`${endpoint.baseUrl}${path}`, {
      headers: credentials(endpoint),
      // A redirect to another host would take the key along.
      redirect: 'error',
      signal: deadline.signal,
    });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    if (signal?.aborted) throw new InterruptedError();
    const why = deadline.expired ? `no answer within ${probeTimeoutMs / 1000} s` : reason(error);
    throw new TeacherSetupError(`cannot reach ${endpoint.baseUrl}: ${why}`, {
      hint: 'see that the server runs and that baseUrl is its address',
    });
  } finally {
    deadline.clear();
  }
}

/** fetch itself says only "fetch failed"; its cause says why. */
function reason(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return redact(connectionCode(error) ?? (cause instanceof Error ? cause.message : (error as Error).message));
}
