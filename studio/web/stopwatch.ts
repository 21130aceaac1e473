/** Counts the seconds in which the page is in view. */
import { useEffect, useState } from 'react';

export interface Stopwatch {
  seconds(): number;
}

/** Goes on from `startSeconds`; a component that is made anew starts anew. */
export function useStopwatch(startSeconds: number): Stopwatch {
  const [watch] = useState(() => makeStopwatch(startSeconds));
  useEffect(() => {
    document.addEventListener('visibilitychange', watch.turn);
    return () => document.removeEventListener('visibilitychange', watch.turn);
  }, [watch]);
  return watch;
}

function makeStopwatch(startSeconds: number): Stopwatch & { readonly turn: () => void } {
  let counted = startSeconds;
  let sinceMs = document.hidden ? undefined : performance.now();
  const running = () => (sinceMs === undefined ? 0 : (performance.now() - sinceMs) / 1000);
  return {
    seconds: () => counted + running(),
    turn() {
      counted += running();
      sinceMs = document.hidden ? undefined : performance.now();
    },
  };
}
