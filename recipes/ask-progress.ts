/** Progress of calls to a teacher: how many came from the ledger, failed, and what was spent. */
import type { Progress } from '../src/run/progress.ts';
import type { AskProgress, CallerOptions } from '../src/teacher/caller.ts';
import { usd } from '../src/teacher/spending.ts';

/** Shorter waits pass unnoticed. */
const worthTellingMs = 5_000;

export interface AskListener {
  /** What the caller tells of its calls. */
  readonly listen: Required<Pick<CallerOptions, 'onProgress' | 'onRetry' | 'onNotice'>>;
  readonly finish: () => void;
}

export function askProgress(bar: Progress): AskListener {
  let last: AskProgress | undefined;
  const describe = (progress: AskProgress): string => {
    const { fromLedger, failed, spentUsd, unpricedCalls, inDoubtCalls, inDoubtUsd, awaited } = progress;
    return [
      fromLedger > 0 ? `${fromLedger} from the ledger` : '',
      failed > 0 ? `${failed} failed` : '',
      awaited && awaited.batches > 0 ? `${awaited.calls} in ${awaited.batches} batches` : '',
      spentUsd > 0 ? `spent ${usd(spentUsd)}` : '',
      unpricedCalls > 0 ? `${unpricedCalls} without a known price` : '',
      inDoubtCalls > 0 ? `${inDoubtCalls} in doubt` : '',
      inDoubtUsd > 0 ? `at most ${usd(inDoubtUsd)} unaccounted` : '',
    ]
      .filter((part) => part !== '')
      .join(', ');
  };
  return {
    listen: {
      onProgress(progress) {
        last = progress;
        bar.update(progress.done, progress.total, describe(progress));
      },
      onRetry({ error, attempt, attempts, delayMs }) {
        if (delayMs < worthTellingMs) return;
        bar.note(`${error.message}; again in ${Math.round(delayMs / 1000)} s (attempt ${attempt} of ${attempts})`);
      },
      onNotice: (text) => bar.note(text),
    },
    finish() {
      bar.finish(last && `${last.total} calls${describe(last) ? `, ${describe(last)}` : ''}`);
    },
  };
}
