/**
 * Keeps credentials out of everything that is written or shown: keys known from the environment, credential headers,
 * key-like words, and user or query parts of addresses. Redacting twice changes nothing.
 */
const secrets = new Set<string>();

/** Remembers a secret value; `redact` replaces it from then on. Short values are ignored: they would hide words. */
export function rememberSecret(value: string | undefined): void {
  if (!value || value.length < 6) return;
  secrets.add(value);
  secrets.add(encodeURIComponent(value));
}

export function redact(text: string): string {
  let clean = text;
  // Longest first: of two secrets that begin alike, the shorter would leave the rest of the longer one standing.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    clean = clean.replaceAll(secret, '[redacted]');
  }
  return (
    clean
      // Up to the last @ before the path: a password may hold one.
      .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#"']+@/gi, '$1[redacted]@')
      // Cookies and authorizations have parts, separated in many ways: the rest of the line or of the string goes.
      .replace(/\b(authorization|cookie)(["']?\s*[:=]\s*["']?)[^"'\r\n]+/gi, '$1$2[redacted]')
      .replace(
        /\b(api[-_]?key|password|client[-_]?secret|(?:access|refresh)[-_]?token)(["']?\s*[:=]\s*["']?)[^\s"',;}&]+/gi,
        '$1$2[redacted]',
      )
      .replace(/\bbearer\s+[a-z0-9._~+/=-]{6,}/gi, 'Bearer [redacted]')
      .replace(/([?&][\w.-]*(?:key|token|secret|password|sig|signature)=)[^&\s"']+/gi, '$1[redacted]')
      .replace(/\b(sk|hf|gsk|xai|pk)[-_][A-Za-z0-9_-]{12,}/g, '$1-[redacted]')
  );
}

/** A configuration as it may be written down: strings lose what looks like a credential, by their name or their form. */
export function withoutSecrets(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    const prefix = `${key}=`;
    return redact(prefix + value).slice(prefix.length);
  }
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, key));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutSecrets(member, name)]));
}
