/** One turn of a conversation, as every chat interface and chat template knows it. */
export interface Message {
  readonly role: (typeof roles)[number];
  readonly content: string;
}

export const roles = ['system', 'user', 'assistant'] as const;

export function isMessage(value: unknown): value is Message {
  const { role, content } = (value ?? {}) as Partial<Message>;
  return roles.includes(role as Message['role']) && typeof content === 'string';
}
