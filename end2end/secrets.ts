/** What must not be in a server's log. */

/** A password, a key, a JWT, an API token or a sign-in's cookie in a log. */
export function leaked(log: string, known: string[]): string | undefined {
  const patterns = [/eyJ[\w-]+\.[\w-]+\.[\w-]+/, /netra_[\w-]{20,}/, /netra_session=\S+/];
  return (
    known.find((secret) => log.includes(secret)) ?? patterns.map((pattern) => pattern.exec(log)?.[0]).find(Boolean)
  );
}
