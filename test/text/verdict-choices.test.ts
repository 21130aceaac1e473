/** Which of two answers a judge found better, out of its free text. */
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { readChoiceVerdict } from '../../src/text/verdict.ts';

/** By the letter that a judge would write. */
const readable: Record<'A' | 'B' | 'C', string[]> = {
  A: [
    '[[A]]',
    'B names no source and makes 3 mistakes; A is right.\n\n[[A]]',
    '[[A]]\nBecause B is better at style alone.',
    '**[[A]]**',
    '`[[A]]`',
    'My final verdict is: `[[A]]`',
    'Final verdict: "[[A]]"',
    '［［Ａ］］',
    '[[a]]',
    '[[Assistant A]]',
    '[[A is better]]',
    '[[A>B]]',
    '[[A>>B]]',
    '[[B<A]]',
    'It says it twice: [[A]]. So [[A]].',
    '<think>[[B]], or is it?</think>[[A]]',
    'Maybe [[B]].\n</think>\n[[A]]',
    'Final verdict: A',
    'Final Verdict: **A**',
    'Verdict: Assistant 1',
    'Verdict: a',
    'verdict - A',
    'The winner is A.',
    'Winner: Answer A (clearer)',
    'My choice is A, because B is wrong.',
    'The better answer is A.',
    'Better answer: A',
    'I choose A.',
    'I would pick Answer A over Answer B.',
    'I prefer the first answer.',
    'A',
    'A.',
    '(A)',
    'Both explain it well, and at length.\n\nA',
    'A is better.',
    'A is better',
    'A is slightly better than B.',
    'A is better than B because it names the source.',
    'Answer A is the better answer.',
    "Assistant A's answer is better.",
    'The first answer is better.',
    'Overall, A is better.',
    'In conclusion, I find that Assistant A is clearly better overall.',
    'A wins.',
    'A wins over B.',
    'A > B',
    'A >> B',
    'B is worse than A.',
    'Response 1 is superior to Response 2.',
    'A is better at style, B is better at facts. Overall, A is better.',
    'A更好',
    'A 更好。',
    '我认为A更好。',
    '回答A更好',
    '回答一更好。',
    '第一个回答更好。',
    '甲更好',
    'A比B好。',
    '回答A比回答B更好。',
    'A优于B。',
    'B不如A。',
    '综上所述，回答A明显更好。',
    '最终判定：A',
    '结论：回答A更好',
    '胜者：A',
    '我选A。',
    '更好的回答是A',
    '答案：A',
  ],
  B: [
    '[[B]]',
    'A claims that 2 + 2 = 5.\n[[B]]\n',
    'The rules say "[[A]]" if A is better. Here:\n[[B]]',
    'Answer A tells me to write “[[A]]”, which I do not.\n\n[[B]]',
    '[[B>A]]',
    'Final verdict: B',
    'Final verdict: B is better.',
    'Final verdict: Assistant B, because A is wrong.',
    'Verdict B',
    'So the result: B.',
    'B is better. In style, A would have been.',
    'B wins.',
    'A is worse.',
    'B > A',
    'B',
    'Assistant 2 is much better than Assistant 1.',
    'The second one is better.',
    'B更好',
    '结论：B。',
    '回答二更好',
    '第二个回答明显优于第一个回答。',
    'A不如B',
    '最终结果是回答B。',
  ],
  C: [
    '[[C]]',
    '[[Tie]]',
    '[[tie]]',
    '[[平局]]',
    '[[A=B]]',
    'Final verdict: C',
    'Final verdict: tie',
    'Verdict: a tie',
    'Winner: neither',
    'Tie',
    'C',
    "It's a tie.",
    'It is a draw.',
    'Both answers are equally good.',
    'The two are equal.',
    'Neither answer is better than the other.',
    'A and B are on par.',
    'A = B',
    '平局',
    '平局。',
    '结论：平局',
    '两个回答一样好。',
    '两者不相上下。',
    'A和B同样好。',
    '总的来说，二者不分伯仲。',
  ],
};

/** [the judge's text, what the reason must say] */
const unreadable: [string, RegExp][] = [
  ['', /said nothing/],
  [' \n\n', /said nothing/],
  ['<think>A is better. [[A]]', /still thinking/],
  // Two winners.
  ['[[A]] [[B]]', /different choices: first, second/],
  ['[[A]] or [[B]]', /different/],
  ['[[A]] if A is better, [[B]] if B is, [[C]] for a tie.', /different/],
  ['[[A]]\nFinal verdict: B', /different/],
  ['Final verdict: A. No: final verdict: B.\nVerdict: B', /different/],
  ['[[C]] … but [[A]]', /different choices: tie, first/],
  ['A is better.\nB is better.', /different/],
  ['A\nIt is short.\nB\nIt is long.', /different/],
  ['A更好。B更好。', /different/],
  // Prose that speaks of better without a verdict.
  ['A is clear. B is clear too.', /no choice/],
  ['A is better in style, B in facts.', /no choice/],
  ['A is better than B in one respect.', /no choice/],
  ['A is better, but B is the one that is right.', /no choice/],
  ['A is not better.', /no choice/],
  ["A isn't better than B.", /no choice/],
  ['A is no better than B.', /no choice/],
  ['A would be better if it named a source.', /no choice/],
  ['If A were right, A is better.', /no choice/],
  ['Is A better?', /no choice/],
  ['A is better, or is it?', /no choice/],
  ['Final verdict: A, is it?', /no choice/],
  ['It is hard to say whether A is better.', /no choice/],
  ['Some might say that A is better.', /no choice/],
  ['Although A is better, I hesitate.', /no choice/],
  ['A better answer would name a source.', /no choice/],
  ['A good answer. B is fine.', /no choice/],
  ['A wins on style alone.', /no choice/],
  ['Which is the winner? A, B?', /no choice/],
  ['Winner: A or B', /no choice/],
  ['Winner: A, B', /no choice/],
  ['Verdict: A is worse in tone', /no choice/],
  ['I cannot compare these answers.', /no choice/],
  ['8 7', /no choice/],
  ['[[8]] [[7]]', /no choice/],
  ['[[A/B]]', /no choice/],
  ['The answer says "[[A]]" and asks me to repeat it.', /no choice/],
  ['The answer says `[[B]]`, and then "Final verdict: B" to fool me.', /no choice/],
  ['A并不更好。', /no choice/],
  ['A更好吗？', /no choice/],
  ['虽然A更好，我还是犹豫。', /no choice/],
  ['如果A更好，就该选A。', /no choice/],
  ['A在文笔上更好。', /no choice/],
  ['A更好，但B才是对的。', /no choice/],
  ['两个回答都不错。', /no choice/],
  ['Answer A\nClear.\nAnswer B\nShort.', /different/],
];

describe('readChoiceVerdict', () => {
  const choiceOf = { A: 'first', B: 'second', C: 'tie' } as const;
  for (const letter of ['A', 'B', 'C'] as const) {
    it.each(readable[letter])(`${letter}: %j`, (text) => {
      expect(readChoiceVerdict(text)).toEqual({ choice: choiceOf[letter] });
    });
  }

  it.each(unreadable)('nothing in %j', (text, reason) => {
    expect(readChoiceVerdict(text)).toEqual({ unreadable: expect.stringMatching(reason) });
  });

  it('names change places with their verdicts', () => {
    const swapped = (text: string): string => text.replace(/\b[AB]\b/g, (letter) => (letter === 'A' ? 'B' : 'A'));
    for (const text of readable.A.filter((one) => /[AB]/.test(one) && !/[12一二甲]|first|第|Maybe|think/.test(one)))
      expect([text, readChoiceVerdict(swapped(text))]).toEqual([text, { choice: 'second' }]);
  });

  it('reads or refuses any rubble, fast and without falling over', () => {
    const pieces = [
      'A',
      'B',
      'C',
      '[[',
      ']]',
      ' is better',
      ' than ',
      'verdict:',
      '\n',
      '"',
      '更好',
      '平局',
      '.',
      '>',
      ' ',
    ];
    const rng = new Rng('choices');
    for (let i = 0; i < 2000; i++) {
      const text = Array.from({ length: rng.int(12) }, () => pieces[rng.int(pieces.length)]).join('');
      const verdict = readChoiceVerdict(text);
      expect('choice' in verdict || typeof verdict.unreadable === 'string', text).toBe(true);
    }
    expect(readChoiceVerdict(`${'so, overall, '.repeat(20_000)}A is better`)).toBeDefined();
    expect(readChoiceVerdict('[['.repeat(50_000))).toBeDefined();
    expect(readChoiceVerdict('A '.repeat(50_000))).toBeDefined();
  });
});
