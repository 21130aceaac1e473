/**
 * The Porter stemmer (M. Porter, "An algorithm for suffix stripping", Program 14.3, 1980) for lower-case English words,
 * with the changes that NLTK's PorterStemmer makes in its default mode, since Google's rouge_score stems with that one.
 * Departures from the paper, as there:
 * 1. irregular words have a table; words of one or two letters stay (as in Porter's own later programs);
 * 2. step 1: a four-letter word in -ies or -ied keeps its e (dies → die), a longer one in -ied ends in i (spied → spi);
 * 3. *o also holds for a vowel and a consonant alone;
 * 4. -y becomes -i after a consonant that is not the whole stem, whether or not a vowel comes before it;
 * 5. step 2: -alli goes first and the step is run again; -abli is widened to -bli; -fulli and -logi are new.
 */

const irregular = new Map([
  ['skies', 'sky'],
  ['sky', 'sky'],
  ['dying', 'die'],
  ['lying', 'lie'],
  ['tying', 'tie'],
  ['news', 'news'],
  ['innings', 'inning'],
  ['inning', 'inning'],
  ['outings', 'outing'],
  ['outing', 'outing'],
  ['cannings', 'canning'],
  ['canning', 'canning'],
  ['howe', 'howe'],
  ['proceed', 'proceed'],
  ['exceed', 'exceed'],
  ['succeed', 'succeed'],
]);

/** Suffix and what replaces it. In a list the first suffix that fits decides, whether its condition holds or not. */
type Rule = readonly [suffix: string, replacement: string];

const pluralRules: readonly Rule[] = [
  ['sses', 'ss'],
  ['ies', 'i'],
  ['ss', 'ss'],
  ['s', ''],
];

const step2Rules: readonly Rule[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['izer', 'ize'],
  ['bli', 'ble'],
  ['alli', 'al'],
  ['entli', 'ent'],
  ['eli', 'e'],
  ['ousli', 'ous'],
  ['ization', 'ize'],
  ['ation', 'ate'],
  ['ator', 'ate'],
  ['alism', 'al'],
  ['iveness', 'ive'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['aliti', 'al'],
  ['iviti', 'ive'],
  ['biliti', 'ble'],
  ['fulli', 'ful'],
];

const step3Rules: readonly Rule[] = [
  ['icate', 'ic'],
  ['ative', ''],
  ['alize', 'al'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ful', ''],
  ['ness', ''],
];

const step4Suffixes = 'al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize'.split(' ');

/** The stem of a word. Other letters than a–z, and digits, count as consonants. */
export function porterStem(word: string): string {
  const lower = word.toLowerCase();
  const known = irregular.get(lower);
  if (known !== undefined) return known;
  if (lower.length <= 2) return lower;
  return step5(step4(step3(step2(step1c(step1b(step1a(lower)))))));
}

function step1a(word: string): string {
  if (word.length === 4 && word.endsWith('ies')) return word.slice(0, -1);
  return replaceFirst(word, pluralRules, () => true);
}

function step1b(word: string): string {
  if (word.endsWith('ied')) return word.slice(0, word.length === 4 ? -1 : -2);
  if (word.endsWith('eed')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  const suffix = ['ed', 'ing'].find((end) => word.endsWith(end));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  if (!vowels(stem).includes(true)) return word;
  if (stem.endsWith('at') || stem.endsWith('bl') || stem.endsWith('iz')) return `${stem}e`;
  if (endsInDoubleConsonant(stem)) return /[lsz]$/.test(stem) ? stem : stem.slice(0, -1);
  return measure(stem) === 1 && endsInShortSyllable(stem) ? `${stem}e` : stem;
}

function step1c(word: string): string {
  const stem = word.slice(0, -1);
  return word.endsWith('y') && stem.length > 1 && vowels(stem).at(-1) === false ? `${stem}i` : word;
}

function step2(word: string): string {
  if (word.endsWith('alli') && measure(word.slice(0, -4)) > 0) return step2(word.slice(0, -2));
  // The l counts as part of the stem, so that geology and theology go the way of philology.
  if (word.endsWith('logi')) return measure(word.slice(0, -3)) > 0 ? word.slice(0, -1) : word;
  return replaceFirst(word, step2Rules, (stem) => measure(stem) > 0);
}

function step3(word: string): string {
  return replaceFirst(word, step3Rules, (stem) => measure(stem) > 0);
}

function step4(word: string): string {
  const suffix = step4Suffixes.find((end) => word.endsWith(end));
  if (suffix === undefined) return word;
  const stem = word.slice(0, -suffix.length);
  const holds = measure(stem) > 1 && (suffix !== 'ion' || /[st]$/.test(stem));
  return holds ? stem : word;
}

function step5(word: string): string {
  let result = word;
  if (word.endsWith('e')) {
    const stem = word.slice(0, -1);
    const m = measure(stem);
    if (m > 1 || (m === 1 && !endsInShortSyllable(stem))) result = stem;
  }
  const single = result.slice(0, -1);
  return result.endsWith('ll') && measure(single) > 1 ? single : result;
}

function replaceFirst(word: string, rules: readonly Rule[], holds: (stem: string) => boolean): string {
  const rule = rules.find(([suffix]) => word.endsWith(suffix));
  if (rule === undefined) return word;
  const stem = word.slice(0, -rule[0].length);
  return holds(stem) ? stem + rule[1] : word;
}

/** For each letter whether it is a vowel: a, e, i, o, u, and y after a consonant. */
function vowels(word: string): boolean[] {
  const flags: boolean[] = [];
  for (let i = 0; i < word.length; i++) {
    const letter = word[i] as string;
    flags.push(letter === 'y' ? flags[i - 1] === false : 'aeiou'.includes(letter));
  }
  return flags;
}

/** Porter's m: how often a vowel is followed by a consonant. */
function measure(stem: string): number {
  return vowels(stem).filter((isVowel, i, all) => isVowel && all[i + 1] === false).length;
}

/** Porter's *d. */
function endsInDoubleConsonant(word: string): boolean {
  return word.length >= 2 && word.at(-1) === word.at(-2) && vowels(word).at(-1) === false;
}

/** Porter's *o: consonant, vowel, consonant other than w, x, y; here also a vowel and a consonant alone. */
function endsInShortSyllable(word: string): boolean {
  const flags = vowels(word);
  if (flags.at(-2) !== true || flags.at(-1) !== false) return false;
  return word.length === 2 || (flags.at(-3) === false && !/[wxy]$/.test(word));
}
