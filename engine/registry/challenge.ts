// WWW-Authenticate, as registries use it (RFC 9110, 11.6.1; the distribution project's token authentication).

/** What a registry asks for. */
export interface Challenge {
  scheme: 'basic' | 'bearer';
  parameters: ReadonlyMap<string, string>;
}

const MAX_HEADER = 8192;

/** The first challenge that can be met, bearer before basic; undefined when there is none. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  const found = challenges((header ?? '').slice(0, MAX_HEADER));
  return found.find(({ scheme }) => scheme === 'bearer') ?? found[0];
}

function challenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  const token = /\s*,?\s*(?:([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([\w-]+))/y;
  for (let match = token.exec(header); match; match = token.exec(header)) {
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else if (name !== undefined) {
      const value = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '';
      found.at(-1)?.parameters.set(name.toLowerCase(), value);
    }
  }
  return found.flatMap(({ scheme, parameters }) =>
    scheme === 'basic' || scheme === 'bearer' ? [{ scheme, parameters }] : [],
  );
}
