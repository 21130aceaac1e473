/**
 * Conversations as one text, by the model's own Jinja template (`@huggingface/jinja`), or by one of two built-in ones,
 * or by a file; and as token ids with a mask of what the model itself has to say.
 *
 * Training must see the ids that decoding will: a turn's prompt is the template's text up to where an answer begins,
 * tokenised by itself as in decoding; the answer, from there to the token that ends the turn, is tokenised by itself
 * too and carries the labels; what the template writes after that token begins the next prompt. So the text of a
 * prompt has to be how the longer conversation begins: a template where it is not is refused.
 * Does not know tools or documents: templates see messages, the special tokens, and `add_generation_prompt`.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { ConfigError, DataError, invariant } from '../base/errors.ts';
import { readJson, readText } from '../base/jsonl.ts';
import type { Message } from '../base/message.ts';
import { nearestName } from '../base/nearest.ts';
import type { AddedToken, Tokenizer } from './tokenizer.ts';

export interface ChatTemplate {
  /** `alpaca`, `chatml`, or the file it came from. */
  readonly name: string;
  /** The Jinja text: what a saved model's chat_template.jinja holds. */
  readonly source: string;
  /** With `addGenerationPrompt` the text ends where the assistant's next answer begins. */
  render(messages: readonly Message[], options?: { readonly addGenerationPrompt?: boolean }): string;
}

export interface EncodedConversation {
  readonly ids: number[];
  /** 1 for every token of an assistant's turn and for the token that ends it; 0 elsewhere. Length of `ids`. */
  readonly labelMask: Uint8Array;
}

export const builtinTemplates = ['alpaca', 'chatml'] as const;
export type BuiltinTemplate = (typeof builtinTemplates)[number];

/**
 * Turns between <|im_start|>role and <|im_end|>, one newline apart, nothing added: OpenAI's Chat Markup Language as
 * Qwen and SmolLM write it.
 */
const chatml = `{% for message in messages -%}
{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor -%}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;

/**
 * Stanford Alpaca's two prompts (Taori et al. 2023, train.py), letter for letter, the answer followed by the eos
 * token. A user's turn with "### Input:" in it gets the preamble for tasks with an input; a system turn takes the
 * preamble's place. Further turns, which Alpaca has not, repeat the two headings.
 */
const alpaca = `{% for message in messages -%}
{% if loop.first and message['role'] != 'system' -%}
{{ 'Below is an instruction that describes a task' }}
{%- if '\\n\\n### Input:\\n' in message['content'] -%}
{{ ', paired with an input that provides further context' }}
{%- endif -%}
{{ '. Write a response that appropriately completes the request.' }}
{%- endif -%}
{% if message['role'] == 'system' -%}
{{ message['content'] }}
{%- elif message['role'] == 'user' -%}
{{ '\\n\\n### Instruction:\\n' + message['content'] }}
{%- else -%}
{{ '\\n\\n### Response:' + message['content'] + eos_token }}
{%- endif -%}
{% endfor -%}
{% if add_generation_prompt %}{{ '\\n\\n### Response:' }}{% endif %}`;

/** What a template may write by name. */
export type SpecialTokens = Pick<Tokenizer, 'bosToken' | 'eosToken' | 'padToken' | 'addsBos'>;

/** A template from its Jinja text. Throws ConfigError where the text is not a template. */
export function createChatTemplate(source: string, name: string, tokenizer: SpecialTokens): ChatTemplate {
  let template: Template;
  try {
    template = new Template(source);
  } catch (error) {
    throw new ConfigError(`chat template ${name}: expected a Jinja template: ${(error as Error).message}`);
  }
  const { bosToken, eosToken, padToken } = tokenizer;
  const tokens = Object.fromEntries(
    Object.entries({ bos_token: bosToken, eos_token: eosToken, pad_token: padToken }).filter(([, token]) => token),
  );
  return {
    name,
    source,
    render(messages, options = {}) {
      const { addGenerationPrompt = false } = options;
      try {
        return template.render({ ...tokens, messages, add_generation_prompt: addGenerationPrompt });
      } catch (error) {
        const roles = messages.map((message) => message.role).join(', ');
        throw new ConfigError(`chat template ${name} cannot write turns of [${roles}]: ${(error as Error).message}`);
      }
    },
  };
}

/**
 * The template of the model in `folder`, or, where `setting` is given, a built-in one by name or a Jinja file by path.
 * A folder's template is its chat_template.jinja, else `chat_template` of its tokenizer_config.json.
 */
export function loadChatTemplate(folder: string, tokenizer: Tokenizer, setting?: string): ChatTemplate {
  if (setting === undefined) {
    const { source, name } = findTemplate(folder);
    return createChatTemplate(source, name, tokenizer);
  }
  return chosenTemplate(setting, tokenizer);
}

/** A built-in template by name, or a Jinja file by path. */
export function chosenTemplate(setting: string, tokenizer: SpecialTokens): ChatTemplate {
  if (builtinTemplates.includes(setting as BuiltinTemplate))
    return createBuiltinTemplate(setting as BuiltinTemplate, tokenizer);
  if (!existsSync(setting)) {
    const near = nearestName(setting, builtinTemplates);
    throw new ConfigError(`no chat template ${setting}: expected ${builtinTemplates.join(', ')} or a Jinja file`, {
      hint: near === undefined ? undefined : `did you mean ${near}?`,
    });
  }
  return createChatTemplate(readText(setting), basename(setting), tokenizer);
}

function createBuiltinTemplate(name: BuiltinTemplate, tokenizer: SpecialTokens): ChatTemplate {
  if (name === 'alpaca' && tokenizer.eosToken === undefined)
    throw new ConfigError('chat template alpaca ends answers with the eos token, and the tokenizer has none', {
      hint: 'set eos_token in tokenizer_config.json',
    });
  // Where texts of this model begin with a bos token, so do its conversations.
  const beginning = tokenizer.addsBos ? '{{ bos_token }}' : '';
  return createChatTemplate(beginning + (name === 'alpaca' ? alpaca : chatml), name, tokenizer);
}

function findTemplate(folder: string): { source: string; name: string } {
  const jinja = join(folder, 'chat_template.jinja');
  if (existsSync(jinja)) return { source: readText(jinja), name: jinja };
  const file = join(folder, 'tokenizer_config.json');
  const config = existsSync(file) ? (readJson(file) as { readonly chat_template?: unknown } | null) : null;
  const template = config?.chat_template ?? undefined;
  if (template === undefined)
    throw new ConfigError(`${folder} has no chat template`, {
      hint: `a base model has none: choose ${builtinTemplates.join(' or ')}, or give a Jinja file`,
    });
  const source = Array.isArray(template)
    ? (template as { name?: unknown; template?: unknown }[]).find((one) => one?.name === 'default')?.template
    : template;
  if (typeof source === 'string') return { source, name: file };
  const expected = 'expected a template, or a list of named templates with one named "default"';
  throw new DataError(file, { path: 'chat_template', message: expected });
}

/** A stretch of the conversation's text that is tokenised by itself. */
interface Segment {
  readonly text: string;
  /** Whether the model has to say it. */
  readonly isAnswer: boolean;
}

/**
 * Throws ConfigError where the template is not prefix-stable, or where it ends no answer with a token of its own:
 * neither can be trained on so that decoding sees the same ids.
 */
export function encodeConversation(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly Message[],
): EncodedConversation {
  const segments = answeredSegments(tokenizer, template, messages);
  return encodeSegments(tokenizer, [...segments, continuation(template, template.render(messages), segments)]);
}

/**
 * Ids from which the assistant's next answer is decoded: those that `encodeConversation` has before that answer.
 * A template that is not prefix-stable cannot have been trained on here; its text is then tokenised as one.
 */
export function encodePrompt(tokenizer: Tokenizer, template: ChatTemplate, messages: readonly Message[]): number[] {
  const prompt = template.render(messages, { addGenerationPrompt: true });
  if (!messages.some((message) => message.role === 'assistant')) return tokenizer.encode(prompt);
  try {
    const segments = answeredSegments(tokenizer, template, messages);
    return encodeSegments(tokenizer, [...segments, continuation(template, prompt, segments)]).ids;
  } catch (error) {
    if (error instanceof UnstableTemplateError) return tokenizer.encode(prompt);
    throw error;
  }
}

class UnstableTemplateError extends ConfigError {}

function unstable(template: ChatTemplate, problem: string): UnstableTemplateError {
  return new UnstableTemplateError(`chat template ${template.name} is not prefix-stable: ${problem}`, {
    hint: 'keep conversations to one turn, or set the built-in chat template chatml',
  });
}

/** Prompt and answer of every assistant's turn, in turn. */
function answeredSegments(tokenizer: Tokenizer, template: ChatTemplate, messages: readonly Message[]): Segment[] {
  const segments: Segment[] = [];
  messages.forEach((message, turn) => {
    if (message.role !== 'assistant') return;
    const { prompt, answer } = splitAnswer(tokenizer, template, messages.slice(0, turn + 1));
    segments.push(continuation(template, prompt, segments), { text: answer, isAnswer: true });
  });
  return segments;
}

/** What `text` has after the segments so far, provided that it begins with them. */
function continuation(template: ChatTemplate, text: string, segments: readonly Segment[]): Segment {
  const before = segments.map((segment) => segment.text).join('');
  if (!text.startsWith(before)) throw unstable(template, 'it writes earlier turns differently when a turn is added');
  return { text: text.slice(before.length), isAnswer: false };
}

const placeholder = '\uE000answer\uE001';

/** The prompt before the last turn, which is the assistant's, and its answer up to the token that ends it. */
function splitAnswer(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly Message[],
): { prompt: string; answer: string } {
  const earlier = messages.slice(0, -1);
  const prompt = template.render(earlier, { addGenerationPrompt: true });
  const whole = template.render(messages);
  if (!whole.startsWith(prompt)) throw unstable(template, 'the answered conversation does not begin with its prompt');
  // Where the answer's text ends is seen with another text in its place: the answer itself may contain anything.
  const probe = template.render([...earlier, { role: 'assistant', content: placeholder }]);
  const at = probe.indexOf(placeholder, prompt.length);
  const tail = probe.slice(at + placeholder.length);
  if (at < 0 || !whole.endsWith(tail) || whole.length < prompt.length + tail.length)
    throw unstable(template, "what it writes after an answer depends on the answer's text");
  const end = firstToken(tokenizer, tail);
  if (end === undefined)
    throw new ConfigError(
      `chat template ${template.name} writes no token of the tokenizer's after an answer (${JSON.stringify(tail)}): decoding could not stop`,
      {
        hint: 'choose the built-in template alpaca, which ends answers with the eos token, or add its tokens: --add-tokens',
      },
    );
  return { prompt, answer: whole.slice(prompt.length, whole.length - tail.length + end) };
}

/** Where in `text` the first special token ends, else the first other added token; undefined where there is none. */
function firstToken(tokenizer: Tokenizer, text: string): number | undefined {
  const find = (tokens: readonly AddedToken[]): number | undefined => {
    let found: { start: number; end: number } | undefined;
    for (const { content } of tokens) {
      const start = text.indexOf(content);
      const end = start + content.length;
      if (start < 0 || (found && (start > found.start || (start === found.start && end <= found.end)))) continue;
      found = { start, end };
    }
    return found?.end;
  };
  const { addedTokens, eosToken } = tokenizer;
  const ends = addedTokens.filter((token) => token.special || token.content === eosToken);
  // Some vocabularies have runs of white space as added tokens; those end nothing.
  const others = addedTokens.filter((token) => token.content.trim() !== '');
  return find(ends) ?? find(others);
}

function encodeSegments(tokenizer: Tokenizer, segments: readonly Segment[]): EncodedConversation {
  const ids: number[] = [];
  const answers: [from: number, to: number][] = [];
  for (const segment of segments) {
    const from = ids.length;
    // The token before belongs to the text that decoding tokenises: some tokens take the white space after them.
    const lead = segment.isAnswer ? undefined : ids.at(-1);
    for (const id of lead === undefined ? tokenizer.encode(segment.text) : encodeAfter(tokenizer, lead, segment.text))
      ids.push(id);
    if (segment.isAnswer) answers.push([from, ids.length]);
  }
  const labelMask = new Uint8Array(ids.length);
  for (const [from, to] of answers) labelMask.fill(1, from, to);
  return { ids, labelMask };
}

/** The ids of `text` where it stands after the token `lead`, which ended a turn. */
function encodeAfter(tokenizer: Tokenizer, lead: number, text: string): number[] {
  if (text === '') return [];
  const [first, ...rest] = tokenizer.encode(tokenizer.decode([lead]) + text);
  invariant(
    first === lead,
    `chat template: token ${lead} does not stay whole before ${JSON.stringify(text.slice(0, 40))}`,
  );
  return rest;
}
