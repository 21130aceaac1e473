import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/rng.ts';
import { readPairVerdict, readSingleVerdict, reasonOfVerdict, zeroToTen } from '../../src/text/verdict.ts';

/** [the judge's text, the two scores] */
const pairs: [string, number, number][] = [
  // Two numbers alone, where they were asked for.
  ['8 7', 8, 7],
  ['8 7\nBoth answers are right, but the first made 2 errors fewer than in 1998.', 8, 7],
  ['\n\n  9 10\n\nThe second is better.', 9, 10],
  ['8, 7', 8, 7],
  ['8,7', 8, 7],
  ['10,9', 10, 9],
  ['8，7', 8, 7],
  ['8、7', 8, 7],
  ['8.5 7.5', 8.5, 7.5],
  ['8.5,7.5', 8.5, 7.5],
  ['8,5 7,5', 8.5, 7.5],
  ['8,5; 7,25', 8.5, 7.25],
  ['8,5, 7', 8.5, 7],
  ['8/10 7/10', 8, 7],
  ['8 out of 10, 7 out of 10', 8, 7],
  ['8 and 7.', 8, 7],
  ['(8, 7)', 8, 7],
  ['[8, 7]', 8, 7],
  ['**8 7**', 8, 7],
  ['**8** **7**', 8, 7],
  ['`8 7`', 8, 7],
  ['```\n8 7\n```\nShort.', 8, 7],
  ['| 8 | 7 |', 8, 7],
  ['8 : 7', 8, 7],
  ['8 vs. 7', 8, 7],
  ['8 7 - the first is clearer', 8, 7],
  ['8 7. The first is clearer.', 8, 7],
  ['8 7 (the first is clearer)', 8, 7],
  ['8\n7\nThe first is clearer.', 8, 7],
  ['８ ７', 8, 7],
  ['8分 7分\n回答A更清楚。', 8, 7],
  ['8分，7分', 8, 7],
  // Announced.
  ['Scores: 8 7', 8, 7],
  ['Score: 8, 7\nReason: …', 8, 7],
  ['Scores (1-10): 8 7', 8, 7],
  ['Scores for Assistant 1 and Assistant 2: 8, 7', 8, 7],
  ['The first is clearer, the second has 3 mistakes.\nScores: 8 and 7.', 8, 7],
  ['In conclusion, the scores are (1, 5) for Assistant 1 and Assistant 2, respectively.', 1, 5],
  ['评分：8 7', 8, 7],
  ['两者的得分是8和7。', 8, 7],
  ['{"scores": [8, 7], "reason": "2 errors"}', 8, 7],
  // At the end.
  ['The first is right. The second says 39 where 3 + 4 is 7.\n\n8 7', 8, 7],
  ['First, I solve it: f(2) = 39.\n\nScores:\nAssistant 1: 10\nAssistant 2: 4\n\nAssistant 1 is better.', 10, 4],
  ['Reasons first.\n\n## Final scores\n\n8 7\n\nI hope this helps with your 2 questions.', 8, 7],
  ['Accuracy: 3 against 4.\nFinal scores: 8, 7', 8, 7],
  // Double brackets.
  ['[[8]] [[7]]', 8, 7],
  ['Long reasoning with 3 points.\n[[8]]\n[[7]]', 8, 7],
  ['Rating A: [[8]], Rating B: [[7]]', 8, 7],
  ['Assistant B: [[7]] and Assistant A: [[8]]', 8, 7],
  ['[[8, 7]]', 8, 7],
  ['My verdict is [[8.5]] [[7/10]].', 8.5, 7],
  ['[[8]] [[7]], as I said: [[8]] [[7]]', 8, 7],
  // Beside the names of the answers.
  ['Score A: 8/10 because it is complete. Score B: 7', 8, 7],
  ['Score B: 7\nScore A: 8/10', 8, 7],
  ['Assistant 1: 8.5\nAssistant 2: 7', 8.5, 7],
  ['Assistant1: 8.5, Assistant2: 7,5', 8.5, 7.5],
  ['**Assistant 1:** 8/10 – good\n**Assistant 2:** 7/10 – short', 8, 7],
  ['Assistant 1: 1 (Incorrect answer)\nAssistant 2: 8 (1 minor error)', 1, 8],
  ['A=8, B=7', 8, 7],
  ['A: 8 B: 7', 8, 7],
  ['A: 8; B: 7', 8, 7],
  ['A 8, B 7', 8, 7],
  ['A：8分；B：7分', 8, 7],
  ['B: 7\nA: 8', 8, 7],
  ['Scores: A=8, B=7', 8, 7],
  ["Answer A's score: 8\nAnswer B's score: 7", 8, 7],
  ['The score for Answer A is 8 and the score for Answer B is 7.', 8, 7],
  ['Response (A): 8\nResponse (B): 7', 8, 7],
  ['Assistant #1 - 8/10\nAssistant #2 - 7/10', 8, 7],
  ['First answer: 8\nSecond answer: 7', 8, 7],
  ['The first assistant scored 8 and the second assistant scored 7.', 8, 7],
  ['I would give 8/10 to Assistant 1, and 7/10 to Assistant 2.', 8, 7],
  ['I give an 8 to Answer A and a 7 to Answer B.', 8, 7],
  ['Assistant 1 gets a score of 8, Assistant 2 gets a score of 7.', 8, 7],
  ['Assistant 1 gets 8/10, Assistant 2 gets 7/10.', 8, 7],
  ['Assistant 1 deserves a 9 while Assistant 2 deserves a 6.', 9, 6],
  ['| Answer | Score |\n|---|---|\n| Answer A | 8 |\n| Answer B | 7 |', 8, 7],
  ['{"A": 8, "B": 7}', 8, 7],
  ["{'a': 8, 'b': 7}", 8, 7],
  ['{\n  "score_a": 8,\n  "score_b": 7\n}', 8, 7],
  ['{"answer_a": {"score": 8, "reason": "x"}, "answer_b": {"score": 7, "reason": "y"}}', 8, 7],
  ['### Answer A\nClear, with 3 examples.\nScore: 8/10\n\n### Answer B\nShort.\nScore: 7/10', 8, 7],
  ['Assistant 1: Incorrect. Therefore, the score is 1.\n\nAssistant 2: 2 of 3 steps. Therefore, the score is 5.', 1, 5],
  ['回答A：8分，回答B：7分', 8, 7],
  ['回答A的得分是8分，回答B的得分是7分。', 8, 7],
  ['A的得分：8\nB的得分：7', 8, 7],
  ['我给A打8分，给B打7分。', 8, 7],
  ['I give A an 8 and B a 7.', 8, 7],
  ['Overall: 8 7', 8, 7],
  ['助手1：8.5分\n助手2：7分', 8.5, 7],
  ['答案一：8/10；答案二：7/10', 8, 7],
  ['第一个回答：8分\n第二个回答：7分（满分10分）', 8, 7],
  ['回答B有2处错误。\n评分如下：\n回答A：8分\n回答B：6分', 8, 6],
  // In prose.
  ['Assistant 1 is clear. I would rate Assistant 1 an 8 and Assistant 2 a 7.', 8, 7],
  ['I would give Assistant 1 an 8, and Assistant 2 a 7.5.', 8, 7.5],
  ['I would score Assistant 1 as 8 and Assistant 2 as 7.', 8, 7],
  ['Assistant 1 would receive a score of 8 out of 10, and Assistant 2 would get a 7 out of 10.', 8, 7],
  ['Assistant 1 would deserve an 8 and Assistant 2 should get a score of 7.', 8, 7],
  ['Score: 8 for Assistant 1 and 7 for Assistant 2.', 8, 7],
  ['So the scores would be 8 for the first answer and 7 for the second answer.', 8, 7],
  ['My scores are 7 (Assistant 2) and 8 (Assistant 1).', 8, 7],
  ['My ratings: Assistant 1 (8), Assistant 2 (7).', 8, 7],
  ["Assistant 1's answer is clear. Score: 8/10\nAssistant 2's answer has 3 mistakes. Score: 7/10", 8, 7],
  ['The first is right.\nScores:\n8\n7\nThe second is not.', 8, 7],
  ['Both assistants receive a score of 8.', 8, 8],
  ['I would rate both assistants 8 out of 10.', 8, 8],
  ['Assistant 1: 8, Assistant 2: 7. In style they both deserve a 9.', 8, 7],
  // Reasoning in tags is not the verdict.
  ['<think>Maybe 3 4? Score A: 3, Score B: 4.</think>\n8 7', 8, 7],
  ['Maybe Score A: 3, Score B: 4.\n</think>\n\n8 7', 8, 7],
  // The verdict counts, not what a criterion got or an answer says.
  ['9 8\nBoth correctly found A=3, B=4.', 9, 8],
  ['9 8\nAnswer A: 3 is right. Answer B: 4 is wrong.', 9, 8],
  ['Accuracy: A: 8, B: 9\nOverall: A: 8, B: 7', 8, 7],
  ['Accuracy of answer A: 6/10, of answer B: 9/10.\nOverall score: answer A: 8, answer B: 7', 8, 7],
  // Said twice, and the same.
  ['8 7\n…\nFinal scores: 8 7', 8, 7],
];

/** [the judge's text, what the reason must say] */
const unreadablePairs: [string, RegExp][] = [
  ['', /said nothing/],
  [' \n\t\n', /said nothing/],
  ['<think>8 7, or rather', /still thinking/],
  ['I cannot compare these answers.', /no scores in a known form/],
  ['Both are good. In 1998 the first had 2 errors, the second 3.', /no scores/],
  ['[[A]]', /no scores/],
  ['8', /no scores/],
  ['8/10', /no scores/],
  ['8/7', /no scores/],
  ['7-8', /no scores/],
  ['8 7 9', /no scores/],
  ['8, 7, 9', /no scores/],
  ['8,7,6', /no scores/],
  ['1,000', /no scores/],
  ['8,5,7,5', /no scores/],
  ['8½ 7', /no scores/],
  ['80% 70%', /no scores/],
  ['7/10/2023', /no scores/],
  ['12 3 apples were counted', /no scores/],
  ['Answer A made 2 errors, Answer B 3.', /no scores/],
  ['Answer A: 2 errors. Answer B: 3 errors.', /no scores/],
  ['Answer A lists 8, 9 and 10. Answer B: 8, 9 and 10.', /no scores/],
  ['Answer A is 5, which is wrong. Answer B is 7, which is right.', /no scores/],
  ['Answer A got 5. Answer B got 7.', /no scores/],
  ['With A = 3 and B = 4 the sum is 7.', /no scores/],
  ['回答A有2处错误，回答B有3处错误。', /no scores/],
  ['回答A：2处错误，回答B：3处错误。', /no scores/],
  ['Rate them on a scale of 1 to 10, rating 1 - 10.', /no scores/],
  ['The text quotes\n3 4\nin the middle of the reasoning.', /no scores/],
  ['Answer A: 7-8, Answer B: 6-7', /no scores/],
  ['I would give Assistant 1 2 points less, and Assistant 2 3 points more.', /no scores/],
  ['There were 2 for Assistant 1 and 3 for Assistant 2.', /no scores/],
  ['Assistant 1 (3) and Assistant 2 (4) counted the apples.', /no scores/],
  ['Both assistants are 8 years old, or get 3.', /no scores/],
  ['Scores:\n8\n7\n6', /no scores/],
  ['Answer A: 8', /no score for the second answer/],
  ['Overall, Assistant 2: 7/10', /no score for the first answer/],
  ['0 0', /the first answer is 0, outside 1–10/],
  ['8 0', /the second answer is 0, outside 1–10/],
  ['11 8', /first answer is 11, outside/],
  ['85 70', /first answer is 85, outside/],
  ['-3 8', /first answer is -3, outside/],
  ['0.5 8', /first answer is 0.5, outside/],
  ['Score A: 85/100, Score B: 70/100', /85 of 100, not of 10/],
  ['回答A：4分（满分5分），回答B：3分（满分5分）', /4 of 5, not of 10/],
  [
    '8 7\nFinal scores: 7 8',
    /different scores for the first answer: .*8.*7|different scores for the first answer: .*7.*8/,
  ],
  ['Score A: 8, Score B: 9\nScore A: 6, Score B: 9', /different scores for the first answer: 8, 6/],
  ['Accuracy: A: 8, B: 9\nStyle: A: 6, B: 9', /no scores/],
  ['[[8]] [[7]] or rather [[7]] [[7]]', /different scores for the first answer/],
  ['[[8]] [[7]] [[6]]', /no scores/],
];

describe('readPairVerdict', () => {
  it.each(pairs)('reads %j', (text, first, second) => {
    expect(readPairVerdict(text)).toEqual({ scores: [first, second] });
  });

  it.each(unreadablePairs)('does not read %j', (text, reason) => {
    const verdict = readPairVerdict(text);
    expect(verdict).toEqual({ unreadable: expect.stringMatching(reason) });
  });

  it('reads every pair of scores in every short form', () => {
    const forms = [
      (a: number, b: number) => `${a} ${b}`,
      (a: number, b: number) => `Answer A: ${a}/10\nAnswer B: ${b}/10`,
      (a: number, b: number) => `回答B：${b}分，回答A：${a}分`,
      (a: number, b: number) => `I weighed 3 things.\n[[${a}]] [[${b}]]`,
    ];
    for (const form of forms)
      for (let a = 1; a <= 10; a += 0.5)
        for (let b = 1; b <= 10; b += 0.5) expect(readPairVerdict(form(a, b))).toEqual({ scores: [a, b] });
  });
});

describe('a range of scores', () => {
  it.each<[string, number, number]>([
    ['0 10\nThe first wrote nothing.', 0, 10],
    ['0.5 0', 0.5, 0],
    ['Assistant 1: 0/10\nAssistant 2: 8/10', 0, 8],
    ['Scores (0-10): 0 7', 0, 7],
    ['Scores (1-10): 0 7', 0, 7],
    ['回答A：0分，回答B：7分', 0, 7],
  ])('from 0 reads %j', (text, first, second) => {
    expect(readPairVerdict(text, zeroToTen)).toEqual({ scores: [first, second] });
  });

  it('holds its ends, and the scale that the text names', () => {
    const unreadable = (reason: RegExp) => ({ unreadable: expect.stringMatching(reason) });
    expect(readPairVerdict('-1 8', zeroToTen)).toEqual(unreadable(/is -1, outside 0–10/));
    expect(readPairVerdict('8 11', zeroToTen)).toEqual(unreadable(/is 11, outside 0–10/));
    expect(readSingleVerdict('0', zeroToTen)).toEqual({ score: 0 });
    const oneToFive = { lowest: 1, highest: 5 };
    expect(readPairVerdict('4/5 3/5', oneToFive)).toEqual({ scores: [4, 3] });
    expect(readPairVerdict('Scores (1-5): 4 3', oneToFive)).toEqual({ scores: [4, 3] });
    expect(readPairVerdict('8/10 7/10', oneToFive)).toEqual(unreadable(/is 8 of 10, not of 5/));
    expect(readSingleVerdict('6', oneToFive)).toEqual(unreadable(/is 6, outside 1–5/));
  });
});

describe('any text at all', () => {
  const pieces = [
    '8',
    '7/10',
    '0',
    '1998',
    '8,7',
    '[[',
    ']]',
    ' ',
    '\n',
    ': ',
    ', ',
    'Answer A',
    'Score B',
    '分',
    '回答A',
    'A',
    '=',
    '(',
  ];

  it('is either two scores from 1 to 10 or unreadable with a reason, never an exception', () => {
    const rng = new Rng('verdict.test');
    for (let round = 0; round < 5000; round++) {
      const text = Array.from({ length: rng.int(12) }, () => pieces[rng.int(pieces.length)]!).join('');
      const verdict = readPairVerdict(text);
      if ('unreadable' in verdict) expect(verdict.unreadable).not.toBe('');
      else for (const score of verdict.scores) expect(score >= 1 && score <= 10, text).toBe(true);
    }
  });

  it('may be very long', () => {
    const line = `${'Answer A lists 2 of 10, or 3-4 of them ('.repeat(1000)}`;
    expect(readPairVerdict(`8 7\n${line}`)).toEqual({ scores: [8, 7] });
    expect(readPairVerdict(line)).toEqual({ unreadable: 'no scores in a known form' });
    expect(readSingleVerdict('('.repeat(20_000))).toEqual({ unreadable: 'no score in a known form' });
  });
});

const singles: [string, number][] = [
  ['7', 7],
  ['7.5', 7.5],
  ['7,5', 7.5],
  ['7\nIt has 2 errors.', 7],
  ['7/10', 7],
  ['7 out of 10', 7],
  ['**7**/10', 7],
  ['Rating: [[7]]', 7],
  ['It made 3 mistakes.\n\nRating: [[7]]', 7],
  ['[[7.5]]', 7.5],
  ['Score: 7', 7],
  ['Score (1-10): 7', 7],
  ['Final score: 7/10', 7],
  ['Accuracy: 5/10\nStyle: 9/10\nOverall: 7/10', 7],
  ['The answer is clear; I would rate it 7/10.', 7],
  ['I give it a score of 7.', 7],
  ['The score is 7.', 7],
  ['Overall: 7', 7],
  ['In 1998 there were 2 of them.\n\n7', 7],
  ['得分：7', 7],
  ['评分：7分', 7],
  ['7分', 7],
  ['得分为7分（满分10分）。', 7],
  ['{"score": 7, "reason": "2 errors"}', 7],
  ['<think>5? 6?</think>7', 7],
];

const unreadableSingles: [string, RegExp][] = [
  ['', /said nothing/],
  ['Good.', /no score in a known form/],
  ['It has 2 errors and dates from 1998.', /no score/],
  ['7-8', /no score/],
  ['There were a total of 3.', /no score/],
  ['It was written on 7/10/2023.', /no score/],
  ['2/10 of the sentences are wrong.', /no score/],
  ['The score reflects that 3 is right.', /no score/],
  ['8 7', /no score/],
  ['0', /is 0, outside 1–10/],
  ['Score: 12', /is 12, outside/],
  ['Score: 4/5', /4 of 5, not of 10/],
  ['Accuracy: 7/10\nStyle: 8/10', /different scores for the answer: 7, 8/],
  ['[[7]] or [[8]]', /different scores/],
];

describe('readSingleVerdict', () => {
  it.each(singles)('reads %j', (text, score) => {
    expect(readSingleVerdict(text)).toEqual({ score });
  });

  it.each(unreadableSingles)('does not read %j', (text, reason) => {
    expect(readSingleVerdict(text)).toEqual({ unreadable: expect.stringMatching(reason) });
  });
});

describe('reasonOfVerdict', () => {
  it.each([
    ['4\nIt is right.\nIt is short.', 'It is right.\nIt is short.'],
    ['\n **4.5/5** \n\nIt is right.\n', 'It is right.'],
    ['[[4]]\n理由：正确。', '理由：正确。'],
    ['<think>2? 3?</think>4\nIt is right.', 'It is right.'],
    ['Score: 4, for it is right.', 'Score: 4, for it is right.'],
    ['It is right.\n4', 'It is right.\n4'],
    ['4', ''],
    ['', ''],
  ])('of %j', (text, reason) => {
    expect(reasonOfVerdict(text)).toBe(reason);
  });
});
