// Image references as far as checks compare them: `nginx` and `docker.io/library/nginx:latest` are one image.

/** The reference with registry, namespace and tag written out; ids and digests stay as they are. */
export function normalizeReference(reference: string): string {
  if (/^(sha256:)?[0-9a-f]{12,64}$/.test(reference)) return reference;
  const slash = reference.indexOf('/');
  const first = slash === -1 ? '' : reference.slice(0, slash);
  const hasRegistry = /[.:]/.test(first) || first === 'localhost';
  const registry = hasRegistry ? first.replace(/^index\.docker\.io$/, 'docker.io') : 'docker.io';
  const rest = hasRegistry ? reference.slice(slash + 1) : reference;
  const path = registry === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  const lastPart = path.slice(path.lastIndexOf('/') + 1);
  const complete = /[:@]/.test(lastPart) ? path : `${path}:latest`;
  return `${registry}/${complete}`;
}
