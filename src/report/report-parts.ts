/** What the report says, in order, for page and Markdown alike: the sentences at the top, then the parts. */
import { judgePart, lossPart, rougePart } from './evaluation-parts.ts';
import { count, languageName } from './format.ts';
import { fewestPairs, headlineRows, languagesOf } from './headline.ts';
import type { Part } from './part.ts';
import type { ReportInput } from './report-input.ts';
import { configurationPart, costsPart, dataPart, trainingPart } from './run-parts.ts';

export function provenanceOf({ provenance }: ReportInput): readonly string[] {
  return provenance.length > 0 ? provenance : ['Who taught this model was not recorded.'];
}

/** What the headline table rests on, and what it has no row for. */
export function headlineNotes({ evaluation: { summary } }: ReportInput): string[] {
  if (summary.questions === 0) return ['No questions were evaluated: nothing can be said about the student.'];
  const languages = languagesOf(summary);
  const missing = ['en', 'zh'].filter((code) => !languages.some(([language]) => language === code));
  const questions = languages.map(([code, figures]) => `${count(figures.questions)} ${languageName(code)}`).join(', ');
  const measured = headlineRows(summary).filter(({ difference }) => difference !== undefined);
  const few = measured.some(({ verdict }) => verdict === 'too few to say');
  return [
    `${count(summary.questions)} held-out questions: ${questions}. “Before” is the student as it was taken, “after” the same student after training, on the same questions.`,
    ...missing.map((code) => `No ${languageName(code)} questions were in this evaluation.`),
    `The word is read off the interval alone: better or worse where the whole 95 % interval lies on one side of 0. About one such interval in twenty misses the truth by chance; ${measured.length === 1 ? 'there is 1' : `there are ${count(measured.length)}`} here.`,
    ...(few ? [`On fewer than ${fewestPairs} questions an interval proves nothing, so no word is given.`] : []),
  ];
}

export function reportParts(input: ReportInput): Part[] {
  const { summary } = input.evaluation;
  return [
    lossPart(summary),
    judgePart(summary),
    rougePart(summary),
    trainingPart(input),
    dataPart(input),
    costsPart(input),
    configurationPart(input),
  ];
}
