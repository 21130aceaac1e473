/**
 * The answer to a request, made of its hash alone, so that a test knows what a row must hold. In Chinese where the last
 * turn is, in English otherwise.
 */
import { createHash } from 'node:crypto';
import { requestHash } from './chance.mjs';

const english = (
  'river stone lamp garden copper window winter letter engine harbour pepper meadow ' +
  'silver candle bridge forest orange ladder velvet island marble pocket summer thunder'
).split(' ');
const chinese = '山水田园春风细雨明月清泉古桥老树远村新路白云红叶秋声夏夜冬雪江船'.split('');

/**
 * @typedef {object} Answer
 * @property {string} text
 * @property {'stop' | 'length' | 'contentFilter' | 'refusal'} finish
 * @property {number} tokensIn
 * @property {number} tokensOut
 */

/**
 * The answer that a body of either protocol gets.
 * @param {Record<string, any>} body @param {number} answerWords @param {string | undefined} fault @returns {Answer}
 */
export function answerTo(body, answerWords, fault) {
  const hash = requestHash(body);
  const turns = texts(body);
  const isChinese = /\p{Script=Han}/u.test(turns.at(-1) ?? '');
  const tokensIn = turns.reduce((sum, turn) => sum + 3 + Math.ceil(Buffer.byteLength(turn) / 4), 0);
  const words = wordsOf(hash, answerWords, isChinese);
  const limit = body['max_completion_tokens'] ?? body['max_tokens'] ?? Number.POSITIVE_INFINITY;
  const finish = fault === 'contentFilter' || fault === 'refusal' || fault === 'length' ? fault : 'stop';
  if (finish === 'refusal') {
    const text = isChinese ? '抱歉，我无法协助完成这个请求。' : 'I am sorry, but I cannot help with that request.';
    return { text, finish, tokensIn, tokensOut: 12 };
  }
  const cut = finish === 'stop' ? words.length : Math.ceil(words.length / 2);
  const kept = words.slice(0, Math.min(cut, limit));
  const whole = kept.length === words.length;
  return {
    text: joined(hash, kept, isChinese, whole),
    finish: finish === 'stop' && !whole ? 'length' : finish,
    tokensIn,
    tokensOut: kept.length,
  };
}

/** A byte of a digest chooses a word. @param {string} hash @param {number} count @param {boolean} isChinese */
function wordsOf(hash, count, isChinese) {
  const vocabulary = isChinese ? chinese : english;
  const digests = Array.from({ length: Math.ceil(count / 32) }, (_, i) =>
    createHash('sha256').update(`${hash} ${i}`).digest(),
  );
  const bytes = Buffer.concat(digests).subarray(0, count);
  return [...bytes].map((byte) => /** @type {string} */ (vocabulary[byte % vocabulary.length]));
}

/** @param {string} hash @param {string[]} words @param {boolean} isChinese @param {boolean} whole */
function joined(hash, words, isChinese, whole) {
  const mark = hash.slice(0, 12);
  if (isChinese) return `答案${mark}：${words.join('')}${whole ? '。' : ''}`;
  return `Answer ${mark}: ${words.join(' ')}${whole ? '.' : ''}`;
}

/** The turns as texts, `system` of Anthropic's protocol first. @param {Record<string, any>} body @returns {string[]} */
function texts({ system, messages }) {
  const contents = messages.map((/** @type {{ content: unknown }} */ { content }) => content);
  return [...(system === undefined ? [] : [system]), ...contents].map((content) =>
    typeof content === 'string'
      ? content
      : (content ?? []).map((/** @type {{ text?: string }} */ part) => part.text ?? '').join(''),
  );
}
