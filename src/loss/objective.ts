/**
 * What a training makes small where it is more than the cross-entropy of given tokens: reward ranking, preference losses,
 * policy gradients. All are arithmetic on a few numbers a pack's forward gives (log-probabilities of its labels, values of
 * the scalar head), and all are written as such: numbers in, derivatives out. How these reach the weights is the same for
 * all, and the executors' business.
 *
 * Legend: tokens = all of a pack; labels = positions whose next token is given a probability; hidden; vocab.
 */

/** Numbers of one pack's forward. */
export interface Outputs {
  /** log p of each label, in nats, in the order of `labelPositions`; none where they are not asked for. */
  readonly logprobs: Float64Array;
  /** The scalar head's value at each position asked for. */
  readonly values: Float64Array;
}

export interface Readings {
  /** Whether log-probabilities of the labels are wanted; their logits are divided by `temperature` (default 1). */
  readonly logprobs?: { readonly temperature?: number };
  /** Where the scalar head is read: positions over the pack's documents lying side by side. */
  readonly valuesAt?: readonly number[];
}

/** Derivatives of the loss by what was read, each as long as that. */
export type Derivatives = { readonly [name in keyof Outputs]?: ArrayLike<number> };

export interface Objective extends Readings {
  /** The loss is the objective's own to keep; called once a pack. */
  readonly derive: (outputs: Outputs) => Derivatives;
}
