/** The checkable questions that come with the product: true as far as a program can tell, balanced, none twice. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkablePrompt, markAnswer, readCheckable } from '../../src/evaluate/checkable.ts';
import { root } from '../cli/program.ts';

const files = ['en', 'zh'].map((language) => join(root, `assets/questions/checkable-${language}.jsonl`));
const { exact, choice } = readCheckable(files);
const letters = (word: string, wanted: string) => [...word].filter((letter) => wanted.includes(letter)).length;
const day = 86_400_000;
const date = (text: string) => Date.parse(`${text}T00:00Z`);
const weekday = (text: string, language: 'en' | 'zh' = 'en', daysLater = 0) =>
  new Date(date(text) + daysLater * day).toLocaleDateString(language, { weekday: 'long', timeZone: 'UTC' });
const daysIn = (year: number, month: number) => new Date(Date.UTC(year, month, 0)).getUTCDate();
const clock = (minutes: number) => `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}`;
const isPrime = (n: number) => ![...Array(n).keys()].slice(2).some((divisor) => n % divisor === 0);

/** By a computation of its own; a Wednesday and a Friday are any. */
const computed: Record<string, number | string> = {
  'What is 47 + 68?': 47 + 68,
  'What is 300 - 127?': 300 - 127,
  'What is 16 times 14?': 16 * 14,
  'What is 144 divided by 9?': 144 / 9,
  'What is 15 % of 240?': (15 * 240) / 100,
  'What is the remainder when 100 is divided by 7?': 100 % 7,
  'What is 2 to the power of 9?': 2 ** 9,
  'What is the square root of 196?': Math.sqrt(196),
  'A shop sells 3 pens for 2 dollars. How many dollars do 18 pens cost?': (18 / 3) * 2,
  'Write three quarters as a decimal number.': 3 / 4,
  'What is 20 - 3 × 4?': 20 - 3 * 4,
  'What is the average of 4, 9, 11 and 16?': (4 + 9 + 11 + 16) / 4,
  'Write the Roman numeral XLIV in ordinary digits.': 50 - 10 + (5 - 1),
  'What is the smallest prime number greater than 30?': [31, 32, 33, 34, 35, 36, 37].find(isPrime)!,
  'How many letters does the word "necessary" have?': 'necessary'.length,
  'Spell the word "lamp" backwards.': [...'lamp'].reverse().join(''),
  'How many times does the letter s stand in the word "possession"?': letters('possession', 's'),
  'Which letter comes right before Q in the English alphabet?': String.fromCharCode('Q'.charCodeAt(0) - 1),
  'What is the fifth letter of the word "kitchen"?': 'kitchen'[4]!,
  'Put the letters of the word "pots" in alphabetical order.': [...'pots'].sort().join(''),
  'Take the first letter of the word "stable" away. Which word is left?': 'stable'.slice(1),
  'How many vowels (a, e, i, o, u) does the word "education" have?': letters('education', 'aeiou'),
  'Which of these words comes first in a dictionary: maple, magnet, market, marble?': [
    'maple',
    'magnet',
    'market',
    'marble',
  ].sort()[0]!,
  'How many centimetres are 2.5 metres?': 2.5 * 100,
  'How many minutes are 3 hours and 20 minutes?': 3 * 60 + 20,
  'How many grams are 1.2 kilograms?': 1.2 * 1000,
  'How many seconds are a quarter of an hour?': 3600 / 4,
  'How many millilitres are 3 litres?': 3 * 1000,
  'How many inches are 4 feet?': 4 * 12,
  'How many degrees Fahrenheit are 100 degrees Celsius?': (100 * 9) / 5 + 32,
  'How many metres are 0.75 kilometres?': 0.75 * 1000,
  'How many hours are 5 days?': 5 * 24,
  'How many eggs are three dozen?': 3 * 12,
  'A car drives 180 kilometres in 2 hours. What is its average speed in kilometres per hour?': 180 / 2,
  'How many bits are 4 bytes?': 4 * 8,
  'How many days does February have in a leap year?': daysIn(2024, 2),
  'Which month is four months after September?': new Date(Date.UTC(2001, 8 + 4)).toLocaleDateString('en', {
    month: 'long',
    timeZone: 'UTC',
  }),
  'Today is Wednesday. Which day of the week is it in 10 days?': weekday('2024-01-03', 'en', 10),
  'A film starts at 18:45 and lasts 95 minutes. When does it end? Write the time as HH:MM.': clock(18 * 60 + 45 + 95),
  'How many days are there from 3 March to 17 March of the same year?': (date('2023-03-17') - date('2023-03-03')) / day,
  'Which day of the week was 1 January 2000?': weekday('2000-01-01'),
  'Was the year 1900 a leap year? Answer yes or no.': daysIn(1900, 2) === 29 ? 'yes' : 'no',
  'In which century does the year 1750 lie?': `${Math.ceil(1750 / 100)}th`,
  'How many days do June and July have together?': daysIn(2023, 6) + daysIn(2023, 7),
  'A girl was born in May 1987. How many years old was she in December 2012?': 2012 - 1987,
  '38加57等于多少？': 38 + 57,
  '205减89等于多少？': 205 - 89,
  '24乘以15等于多少？': 24 * 15,
  '126除以6等于多少？': 126 / 6,
  '250的20%是多少？': (250 * 20) / 100,
  '3的4次方是多少？': 3 ** 4,
  '50除以8，余数是多少？': 50 % 8,
  '把“六百零三”写成阿拉伯数字。': 600 + 3,
  '笼子里有鸡和兔，共10个头、28条腿。兔有几只？': [...Array(11).keys()].find(
    (hares) => 4 * hares + 2 * (10 - hares) === 28,
  )!,
  '成语“守株待兔”的第三个字是什么？': [...'守株待兔'][2]!,
  '把“天空”两个字的顺序倒过来写。': [...'天空'].reverse().join(''),
  '成语“一心一意”里有几个“一”字？': letters('一心一意', '一'),
  '3千米是多少米？': 3 * 1000,
  '5市斤是多少克？': 5 * 500,
  '2小时15分钟一共是多少分钟？': 2 * 60 + 15,
  '1.5吨是多少千克？': 1.5 * 1000,
  '4米是多少厘米？': 4 * 100,
  '半天是多少个小时？': 24 / 2,
  '1公顷是多少平方米？': 100 * 100,
  '2升是多少毫升？': 2 * 1000,
  // 2024-01-05 was a Friday.
  '今天是星期五，再过9天是星期几？': weekday('2024-01-05', 'zh', 9),
  '闰年一共有多少天？': (date('2025-01-01') - date('2024-01-01')) / day,
  '从4月20日到5月5日相隔多少天？': (date('2023-05-05') - date('2023-04-20')) / day,
  '一节课上午9点40分开始，上45分钟，几点几分下课？': clock(9 * 60 + 40 + 45),
  '2024年2月有多少天？': daysIn(2024, 2),
  '三角形的三个内角加起来是多少度？': 180,
};
const computedChoices: Record<string, string> = {
  'What is half of 50?': String(50 / 2),
  'Which number continues the row 2, 4, 8, 16?': String(16 * 2),
  'What is 7 times 8?': String(7 * 8),
  三加四乘以二等于多少: ['九', '十', '十一'][3 + 4 * 2 - 9]!,
  一百的一半是多少: ['四十', '五十', '六十'][100 / 2 / 10 - 4]!,
};

describe('answers', () => {
  it.each(Object.entries(computed))('%s', (question, value) => {
    const found = exact.find((one) => one.question === question);
    expect(found, 'the question is not in the set').toBeDefined();
    expect(markAnswer(String(value), found!).exact).toBe(true);
  });
  it('every arithmetic and unit question is computed, and most about dates', () => {
    const uncomputed = exact.filter(({ question }) => !(question in computed));
    expect(uncomputed.filter(({ category }) => ['arithmetic', 'units'].includes(category))).toEqual([]);
    expect(uncomputed.filter(({ category }) => category === 'dates').map(({ answers }) => answers[0])).toEqual([
      '100',
      '八月',
      '春节',
    ]);
  });
  it.each(Object.entries(computedChoices))('%s', (question, value) => {
    const found = choice.find((one) => one.question.replace('？', '') === question)!;
    expect(found.options[found.right]).toBe(value);
  });
  it('an accepted answer is taken in every form that is listed, none twice', () => {
    for (const question of exact) {
      for (const answer of question.answers) expect(markAnswer(`${answer}.`, question).exact, answer).toBe(true);
      expect(new Set(question.answers).size).toBe(question.answers.length);
    }
  });
  it('an answer does not stand in its own question, unless it is chosen from there', () => {
    const given = exact.filter((question) => markAnswer(question.question, question).contained).map(({ id }) => id);
    const chosen = /comes first|misspelled|yes or no|左右合成|守株待兔/;
    const open = given.filter((id) => !chosen.test(exact.find((one) => one.id === id)!.question));
    expect(open).toEqual([]);
  });
});

describe('the sets', () => {
  const count = (list: readonly { language: string }[], wanted: string) =>
    list.filter(({ language }) => language === wanted).length;
  it('are about 60 English and 40 Chinese questions of each kind, over several categories', () => {
    expect([count(exact, 'en'), count(exact, 'zh'), count(choice, 'en'), count(choice, 'zh')]).toEqual([
      64, 42, 60, 40,
    ]);
    for (const list of [exact, choice]) {
      for (const language of ['en', 'zh']) {
        const own = list.filter((one) => one.language === language).map(({ category }) => category);
        expect(new Set(own).size).toBeGreaterThanOrEqual(5);
      }
    }
  });
  it('no question twice, none that is shown as an example', () => {
    const asked = [...exact, ...choice].map(({ question }) => question.toLowerCase().replace(/[\p{P}\s]/gu, ''));
    expect(new Set(asked).size).toBe(asked.length);
    const shown = ['en', 'zh'].flatMap((language) => checkablePrompt({ question: '', language })).slice(0, -1);
    const examples = shown.map(({ content }) => content.split('\n')[0]!).filter((text) => text.length > 6);
    expect(examples.length).toBeGreaterThan(4);
    for (const { question } of [...exact, ...choice]) expect(examples).not.toContain(question);
  });
  it('the right option stands in each of four places as often, and is not told by its length', () => {
    for (const language of ['en', 'zh']) {
      const own = choice.filter((one) => one.language === language);
      const places = [0, 1, 2, 3].map((place) => own.filter(({ right }) => right === place).length);
      expect(places).toEqual(Array(4).fill(own.length / 4));
      expect(own.every(({ options }) => options.length === 4)).toBe(true);
      const lengthOf = (text: string) => Buffer.byteLength(text);
      for (const pick of [Math.max, Math.min]) {
        const told = own.filter(({ options, right }) => {
          const lengths = options.map(lengthOf);
          const most = pick(...lengths);
          return lengths[right] === most && lengths.filter((length) => length === most).length === 1;
        });
        expect(told.length / own.length).toBeLessThan(0.3);
      }
    }
  });
  it('names the language it is written in', () => {
    for (const { question, language } of [...exact, ...choice])
      expect(/\p{Script=Han}/u.test(question) ? 'zh' : 'en').toBe(language);
  });
});
