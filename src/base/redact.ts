/**
 * Keeps credentials out of everything that is written or shown: keys known from the environment, bearer tokens,
 * key-like words, and user or query parts of addresses.
 */
const secrets = new Set<string>();

/** Remembers a secret value; `redact` replaces it from then on. Short values are ignored: they would hide words. */
export function rememberSecret(value: string | undefined): void {
  if (value && value.length >= 6) secrets.add(value);
}

export function redact(text: string): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, '[redacted]');
  return clean
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1[redacted]@')
    .replace(
      /\b(authorization|x-api-key|api[-_]?key|proxy-authorization|cookie)(["']?\s*[:=]\s*["']?)(bearer\s+|basic\s+)?[^\s"',;}]+/gi,
      '$1$2[redacted]',
    )
    .replace(/\bbearer\s+[a-z0-9._~+/=-]{6,}/gi, 'Bearer [redacted]')
    .replace(/([?&](?:api[-_]?key|key|token|access_token|sig|signature)=)[^&\s"']+/gi, '$1[redacted]')
    .replace(/\b(sk|hf|gsk|xai|pk)[-_][A-Za-z0-9_-]{12,}/g, '$1-[redacted]');
}
