/** What goes wrong in reinforcement learning, seen in its figures and said in plain words. */

export interface HealthFigures {
  /** Nats an answer, from the reference. */
  readonly kl: number;
  /** Nats a token, estimated from what was sampled. */
  readonly entropy: number;
  /** Tokens an answer. */
  readonly length: number;
  readonly reward: number;
  /** Share of the groups, or of iterations' answers, whose rewards are all equal. */
  readonly flat: number;
}

const recent = 10;

/** Of the newest figures, against those before. Nothing to say: none. */
export function healthWarnings(history: readonly HealthFigures[], { klLimit = 50 } = {}): string[] {
  const now = history.at(-1);
  const first = history[0];
  if (!now || !first || history.length < 2) return [];
  const warnings: string[] = [];
  const fixed = (value: number) => value.toFixed(2);
  if (now.kl > klLimit) {
    warnings.push(
      `the policy has run off: ${fixed(now.kl)} nats an answer from the reference; raise klBeta or lower the rate`,
    );
  }
  if (now.entropy < 0.1 * first.entropy) {
    warnings.push(
      `entropy has collapsed: ${fixed(now.entropy)} nats a token, ${fixed(first.entropy)} at first; answers repeat`,
    );
  }
  if (now.length > 2 * first.length) {
    warnings.push(`answers have become long: ${Math.round(now.length)} tokens, ${Math.round(first.length)} at first`);
  }
  const last = history.slice(-recent);
  if (last.length === recent && last.every(({ flat }) => flat === 1)) {
    warnings.push(`all rewards of a prompt have been equal for ${recent} iterations: there is nothing to learn from`);
  }
  return warnings;
}
