// Which files of a context a build needs, by the paths that its instructions name.

/** Paths from the context's root on, patterns of COPY among them; none says all. */
export function includePatterns(paths: ReadonlySet<string>): string[] {
  if (paths.has('/')) return [];
  return [...paths].map((path) => path.replace(/^\/+/, '').replace(/\/+$/, '')).sort();
}
