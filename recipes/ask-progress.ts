/** Progress of calls to a teacher: how many came from the ledger, failed, and what was spent. */
import type { Progress } from '../src/run/progress.ts';
import type { AskProgress } from '../src/teacher/caller.ts';
import { usd } from '../src/teacher/spending.ts';

export function askProgress(bar: Progress): { update: (progress: AskProgress) => void; finish: () => void } {
  let last: AskProgress | undefined;
  const describe = ({ fromLedger, failed, spentUsd, inDoubtUsd }: AskProgress): string =>
    [
      fromLedger > 0 ? `${fromLedger} from the ledger` : '',
      failed > 0 ? `${failed} failed` : '',
      spentUsd > 0 ? `spent ${usd(spentUsd)}` : '',
      inDoubtUsd > 0 ? `in doubt ${usd(inDoubtUsd)}` : '',
    ]
      .filter((part) => part !== '')
      .join(', ');
  return {
    update(progress) {
      last = progress;
      bar.update(progress.done, progress.total, describe(progress));
    },
    finish() {
      bar.finish(last && `${last.total} calls${describe(last) ? `, ${describe(last)}` : ''}`);
    },
  };
}
