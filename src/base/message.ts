/** One turn of a conversation, as every chat interface and chat template knows it. */
export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}
