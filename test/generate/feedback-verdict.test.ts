/** What judges say of several answers at once, and what is read in it. */
import { describe, expect, it } from 'vitest';
import { readListVerdict } from '../../src/generate/feedback-verdict.ts';

const read = (text: string, count: number) =>
  readListVerdict(text, count).map((one) => ('score' in one ? [one.score, one.reason] : one.unreadable));
const scores = (text: string, count: number) =>
  readListVerdict(text, count).map((one) => ('score' in one ? one.score : null));

describe('the form that is asked for', () => {
  it('one line for each answer: its reason, and its score at the end', () => {
    expect(read('Answer 1: Right, and short. [[9]]\nAnswer 2: Wrong river in 1999. [[2.5]]', 2)).toEqual([
      [9, 'Right, and short.'],
      [2.5, 'Wrong river in 1999.'],
    ]);
    expect(read('回答1：说得对，也简短。[[9]]\n回答２：河名错了。[[２]]', 2)).toEqual([
      [9, '说得对，也简短。'],
      [2, '河名错了。'],
    ]);
  });

  it('in any order, with words before, Markdown and thinking', () => {
    const text = [
      '<think>Answer 1: [[1]] or so. Answer 2: [[3]]</think>',
      'Here are my scores:',
      '',
      '**Answer 2:** Fine, if long.',
      'It also cites its source. **[[7]]**',
      '### Answer 1',
      'Beside the question. [[3]]',
    ].join('\n');
    expect(read(text, 2)).toEqual([
      [3, 'Beside the question.'],
      [7, 'Fine, if long.\nIt also cites its source.'],
    ]);
  });
});

describe('other forms', () => {
  it.each<[string, string, number, (number | null)[]]>([
    ['of ten', 'Answer 1: 8/10 – good\nAnswer 2: 3/10', 2, [8, 3]],
    ['score words', 'Answer 1: Score: 8. Clear.\nAnswer 2: it is off. Score: 3', 2, [8, 3]],
    ['first in the line', 'Answer 1: 8 - good\nAnswer 2: 3.5, off the mark', 2, [8, 3.5]],
    ['on the line below', 'Answer 1:\n8\nGood.\n\nAnswer 2:\n3\nOff.', 2, [8, 3]],
    ['numbered', '1. Good. [[8]]\n2. Off. [[3]]\n3) Same. [[3]]', 3, [8, 3, 3]],
    ['numbered, plain', '1: 8\n2: 3', 2, [8, 3]],
    ['a table', '| Answer | Score | Reason |\n|---|---|---|\n| 1 | 8 | good |\n| 2 | 3 | off |', 2, [8, 3]],
    ['a line of scores, as the paper’s', '8 3.5 10\nThe third is best.', 3, [8, 3.5, 10]],
    ['a line of scores with commas', '8, 3', 2, [8, 3]],
    ['a column of scores', '8\n3\n[[10]]', 3, [8, 3, 10]],
    ['one answer, with its name', 'Answer 1: Good. [[8]]', 1, [8]],
    ['one answer, without', 'Good.\n[[8]]', 1, [8]],
    ['one answer, the score first', '8\nGood.', 1, [8]],
  ])('%s', (_, text, count, expected) => {
    expect(scores(text, count)).toEqual(expected);
  });

  it('a number in the reasons begins no part', () => {
    const text = 'Answer 1: It has two flaws:\n1. no source\n2. too long\n[[6]]\nAnswer 2: 3 flaws. [[4]]';
    expect(scores(text, 2)).toEqual([6, 4]);
  });
});

describe('what is not read', () => {
  it.each<[string, string, number, (number | null)[]]>([
    ['nothing', '', 2, [null, null]],
    ['still thinking', '<think>Answer 1: [[3]]', 1, [null]],
    ['an answer that nothing is said of', 'Answer 1: Good. [[8]]\nAnswer 3: Off. [[2]]', 3, [8, null, 2]],
    ['an answer without a score', 'Answer 1: Good.\nAnswer 2: Off. [[2]]', 2, [null, 2]],
    ['two scores for one', 'Answer 1: Good. [[8]]\nAnswer 2: [[2]]\nAnswer 1: or rather [[7]]', 2, [null, 2]],
    ['a score off the scale', 'Answer 1: [[11]]\nAnswer 2: [[0]]', 2, [null, null]],
    ['another scale', 'Answer 1: 4/5\nAnswer 2: 80/100', 2, [null, null]],
    ['fewer numbers than answers', '8 3', 3, [null, null, null]],
    ['an answer that was not shown', 'Answer 4: [[8]]', 3, [null, null, null]],
    ['a line of scores off the scale', '0 80', 2, [null, null]],
    ['praise alone', 'Both are good.', 2, [null, null]],
  ])('%s', (_, text, count, expected) => {
    expect(scores(text, count)).toEqual(expected);
  });

  it('says why', () => {
    expect(read('Answer 1: [[11]]\nAnswer 3: Good.', 3)).toEqual([
      expect.stringContaining('11'),
      'nothing is said of answer 2',
      'no score in a known form',
    ]);
  });
});
