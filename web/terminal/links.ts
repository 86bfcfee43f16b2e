// Where a link in a terminal's output leads: localhost there is the lab host, which the browser reaches by a preview.

const OWN = new Set(['localhost', '127.0.0.1', '0.0.0.0', '[::1]']);

/** The address to open; undefined when it is none that may be opened. `template` has `{port}` for the number. */
export function linkTarget(text: string, template: string): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  if (!OWN.has(url.hostname)) return url.href;
  const preview = new URL(template.replace('{port}', url.port || '80'));
  return `${preview.origin}${url.pathname}${url.search}${url.hash}`;
}
