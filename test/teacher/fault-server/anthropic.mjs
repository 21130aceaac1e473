/**
 * Anthropic's messages (https://docs.claude.com/en/api/messages): what a request may hold, what an answer looks like, whole
 * and streamed, and how errors are told. Unknown members are refused, as they are there.
 */

const members = new Set(
  (
    'model messages max_tokens system metadata stop_sequences stream temperature top_k top_p tools tool_choice thinking ' +
    'service_tier container cache_control inference_geo output_config'
  ).split(' '),
);
const stopReasons = { stop: 'end_turn', length: 'max_tokens', contentFilter: 'refusal', refusal: 'end_turn' };
const errorTypes = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
};

export const vendor = 'anthropic';
export const route = 'messages';

/** The key that a caller gives. @param {import('node:http').IncomingHttpHeaders} headers */
export const keyOf = (headers) => /** @type {string | undefined} */ (headers['x-api-key']);

/**
 * What is wrong with a request; undefined: nothing. Without headers it is a row of a batch.
 * @param {Record<string, any>} body @param {import('node:http').IncomingHttpHeaders | undefined} headers
 * @param {{ models: readonly string[] }} settings
 * @returns {{ message: string, status?: number } | undefined}
 */
export function problemOf(body, headers, { models }) {
  if (headers && headers['anthropic-version'] === undefined)
    return { message: 'anthropic-version: header is required' };
  const unknown = Object.keys(body).find((name) => !members.has(name));
  if (unknown !== undefined) return { message: `${unknown}: Extra inputs are not permitted` };
  const { model, messages, max_tokens: maxTokens, temperature } = body;
  for (const name of ['model', 'messages', 'max_tokens']) {
    if (body[name] === undefined) return { message: `${name}: Field required` };
  }
  if (!models.includes(model)) return { message: `model: ${model}`, status: 404 };
  if (!Number.isInteger(maxTokens) || maxTokens < 1) return { message: 'max_tokens: expected a whole number from 1' };
  if (!Array.isArray(messages) || messages.length === 0)
    return { message: 'messages: at least one message is required' };
  for (const [i, message] of messages.entries()) {
    if (message.role !== 'user' && message.role !== 'assistant')
      return { message: `messages.${i}.role: Input should be 'user' or 'assistant'` };
    const extra = Object.keys(message).find((name) => name !== 'role' && name !== 'content');
    if (extra !== undefined) return { message: `messages.${i}.${extra}: Extra inputs are not permitted` };
  }
  if (temperature !== undefined && !(temperature >= 0 && temperature <= 1))
    return { message: 'temperature: expected a number from 0 to 1' };
  return undefined;
}

/** @param {number} status @param {{ message: string }} error */
export const errorBody = (status, { message }) => JSON.stringify(errorOf(status, message));

/** @param {number} status @param {string} message */
export function errorOf(status, message) {
  const type = errorTypes[/** @type {keyof typeof errorTypes} */ (status)] ?? 'api_error';
  return { type: 'error', error: { type, message }, request_id: null };
}

/** @param {{ id: string, body: Record<string, any>, answer: import('./answer.mjs').Answer }} made */
export function completion({ id, body, answer }) {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model: body['model'],
    content: [{ type: 'text', text: answer.text }],
    stop_reason: stopReasons[answer.finish],
    stop_sequence: null,
    usage: { input_tokens: answer.tokensIn, output_tokens: answer.tokensOut },
  };
}

/** @param {Parameters<typeof completion>[0]} made @returns {string[]} pieces of the stream */
export function stream(made) {
  const { answer } = made;
  const event = (/** @type {{ type: string }} */ data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
  const { content: _, stop_reason: reason, ...message } = completion(made);
  const words = answer.text.match(/\S*\s?/g)?.filter((word) => word !== '') ?? [];
  const begun = { ...message, content: [], stop_reason: null, usage: { ...message.usage, output_tokens: 1 } };
  const block = { index: 0, content_block: { type: 'text', text: '' } };
  const usage = { output_tokens: answer.tokensOut };
  return [
    event(/** @type {any} */ ({ type: 'message_start', message: begun })),
    event(/** @type {any} */ ({ type: 'content_block_start', ...block })),
    ...words.map((text) =>
      event(/** @type {any} */ ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    ),
    event(/** @type {any} */ ({ type: 'content_block_stop', index: 0 })),
    event(/** @type {any} */ ({ type: 'message_delta', delta: { stop_reason: reason, stop_sequence: null }, usage })),
    event({ type: 'message_stop' }),
  ];
}
