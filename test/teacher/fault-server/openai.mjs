/**
 * OpenAI's chat completions (https://platform.openai.com/docs/api-reference/chat): what a request may hold, what an answer
 * looks like, whole and streamed, and how errors are told. Unknown members are refused, as they are there.
 */

const members = new Set(
  (
    'model messages audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens ' +
    'metadata modalities n parallel_tool_calls prediction presence_penalty prompt_cache_key prompt_cache_retention ' +
    'reasoning_effort response_format safety_identifier seed service_tier stop store stream stream_options temperature ' +
    'tool_choice tools top_logprobs top_p user verbosity web_search_options'
  ).split(' '),
);
const roles = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
const finishReasons = { stop: 'stop', refusal: 'stop', length: 'length', contentFilter: 'content_filter' };

export const vendor = 'openai';
export const route = 'chat';

/** The key that a caller gives. @param {import('node:http').IncomingHttpHeaders} headers */
export const keyOf = (headers) => headers.authorization?.replace(/^Bearer /, '');

/**
 * What is wrong with a request; undefined: nothing.
 * @param {Record<string, any>} body @param {import('node:http').IncomingHttpHeaders | undefined} _headers
 * @param {{ models: readonly string[] }} settings
 * @returns {{ message: string, param?: string, code?: string, status?: number } | undefined}
 */
export function problemOf(body, _headers, { models }) {
  const unknown = Object.keys(body).filter((name) => !members.has(name));
  if (unknown.length > 0) {
    const names = unknown.length === 1 ? 'argument' : 'arguments';
    return { message: `Unrecognized request ${names} supplied: ${unknown.join(', ')}` };
  }
  const { model, messages, temperature, top_p: topP, n = 1 } = body;
  if (typeof model !== 'string') return { message: 'you must provide a model parameter' };
  if (!models.includes(model))
    return { message: `The model \`${model}\` does not exist`, code: 'model_not_found', status: 404 };
  if (!Array.isArray(messages) || messages.length === 0)
    return { message: "Missing required parameter: 'messages'.", param: 'messages' };
  const bad = messages.findIndex(({ role, content }) => !roles.has(role) || !isContent(content));
  if (bad >= 0) return { message: `Invalid value: 'messages[${bad}]'.`, param: `messages[${bad}]` };
  if (temperature !== undefined && !(temperature >= 0 && temperature <= 2))
    return { message: `Invalid 'temperature': ${temperature}`, param: 'temperature' };
  if (topP !== undefined && !(topP >= 0 && topP <= 1)) return { message: `Invalid 'top_p': ${topP}`, param: 'top_p' };
  if (n !== 1) return { message: 'this server makes one choice', param: 'n' };
  for (const name of ['max_tokens', 'max_completion_tokens']) {
    if (body[name] !== undefined && !(Number.isInteger(body[name]) && body[name] > 0))
      return { message: `Invalid '${name}': ${body[name]}`, param: name };
  }
  return undefined;
}

/** @param {unknown} content */
const isContent = (content) =>
  typeof content === 'string' || (Array.isArray(content) && content.every((part) => typeof part?.type === 'string'));

/** @param {number} status @param {{ message: string, param?: string, code?: string }} error */
export function errorBody(status, { message, param, code }) {
  const type = status === 429 ? 'requests' : status >= 500 ? 'server_error' : 'invalid_request_error';
  return JSON.stringify({ error: { message, type, param: param ?? null, code: code ?? null } });
}

/** @param {{ id: string, createdAt: number, body: Record<string, any>, answer: import('./answer.mjs').Answer }} made */
export function completion({ id, createdAt, body, answer }) {
  const { text, finish } = answer;
  const message = { role: 'assistant', content: text, refusal: null };
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created: Math.floor(createdAt / 1000),
    model: body['model'],
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReasons[finish] }],
    usage: usageOf(answer),
  };
}

/** @param {Parameters<typeof completion>[0]} made @returns {string[]} pieces of the stream */
export function stream({ id, createdAt, body, answer }) {
  const head = {
    id: `chatcmpl-${id}`,
    object: 'chat.completion.chunk',
    created: Math.floor(createdAt / 1000),
    model: body['model'],
  };
  const chunk = (/** @type {object} */ delta, /** @type {string | null} */ reason = null) =>
    `data: ${JSON.stringify({ ...head, choices: [{ index: 0, delta, logprobs: null, finish_reason: reason }] })}\n\n`;
  const words = answer.text.match(/\S*\s?/g)?.filter((word) => word !== '') ?? [];
  const usage = { ...head, choices: [], usage: usageOf(answer) };
  return [
    chunk({ role: 'assistant', content: '' }),
    ...words.map((content) => chunk({ content })),
    chunk({}, finishReasons[answer.finish]),
    ...(body['stream_options']?.include_usage ? [`data: ${JSON.stringify(usage)}\n\n`] : []),
    'data: [DONE]\n\n',
  ];
}

/** @param {import('./answer.mjs').Answer} answer */
const usageOf = ({ tokensIn, tokensOut }) => ({
  prompt_tokens: tokensIn,
  completion_tokens: tokensOut,
  total_tokens: tokensIn + tokensOut,
});
