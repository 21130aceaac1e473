/**
 * English sentences in a Chinese answer: what a translation forgot, or a model fell into. Names, titles, terms, code and
 * quotations pass, and so does an answer to a task that has English in it or asks for it.
 */

const code = /```[\s\S]*?(?:```|$)|`[^`\n]*`|https?:\/\/\S+|\$[^$\n]*\$/gu;
const quoted = /“[^”]*”|「[^」]*」|『[^』]*』|《[^》]*》|"[^"\n]*"|‘[^’]*’/gu;
const word = "[A-Za-z]+(?:['’-][A-Za-z]+)*";
/** Words with nothing but spaces and commas between them. */
const run = new RegExp(String.raw`${word}(?:[,;:]?\s+(?:${word}|\d+))+`, 'gu');
const functionWord =
  /^(?:the|an?|of|to|in|on|for|with|and|or|but|is|are|was|were|be|been|it|its|that|this|these|you|your|we|our|they|their|he|she|his|her|as|by|from|at|can|will|should|not|have|has|which|who|when|if)$/u;

/** Shorter runs are terms: “state of the art”. */
const least = { words: 6, functionWords: 2, lowerCase: 0.6, taskWords: 4 };

const asksForEnglish =
  /译|英[文语]|外[文语]|双语|中英|english|translat|单词|短语|例句|语法|作文|雅思|托福|代码|编程|程序|脚本|歌词|台词/iu;

/** The first such span; undefined where there is none. */
export function findUntranslated(instruction: string, answer: string): string | undefined {
  if (!/\p{Script=Han}/u.test(answer) || !/\p{Script=Han}/u.test(instruction)) return undefined;
  if (asksForEnglish.test(instruction) || runs(instruction).some((words) => words.length >= least.taskWords))
    return undefined;
  const prose = answer.replace(code, '\n').replace(quoted, '\n');
  return runs(prose).find(isSentence)?.join(' ');
}

const runs = (text: string): string[][] => (text.match(run) ?? []).map((found) => found.split(/\s+/u));

function isSentence(all: readonly string[]): boolean {
  const words = all.filter((one) => /^[A-Za-z]/u.test(one));
  const lower = words.filter((one) => /^[a-z]/u.test(one)).length;
  const small = words.filter((one) => functionWord.test(one.replace(/[,;:]$/u, ''))).length;
  return words.length >= least.words && small >= least.functionWords && lower >= least.lowerCase * words.length;
}
