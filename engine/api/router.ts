// The table of operations: method and path pattern to handler, as in the Docker Engine API's description.

import type { Call } from './call.ts';

export type Handler = (call: Call) => Promise<void> | void;

/** `{id}` is one path segment, `{name...}` is one or more (image names have slashes). */
export interface Route {
  method: string;
  pattern: string;
  handler: Handler;
}

export function route(method: string, pattern: string, handler: Handler): Route {
  return { method, pattern, handler };
}

interface Compiled extends Route {
  expression: RegExp;
  names: string[];
}

export interface Match {
  handler: Handler;
  params: Record<string, string>;
}

/** Finds the handler of a request. The first route that fits wins. */
export class Router {
  private readonly routes: Compiled[];

  constructor(routes: readonly Route[]) {
    this.routes = routes.map(compile);
  }

  /** `path` without the version. Undefined when there is none. */
  match(method: string, path: string): Match | undefined {
    for (const { method: own, expression, names, handler } of this.routes) {
      if (own !== method) continue;
      const values = expression.exec(path)?.slice(1);
      if (!values) continue;
      const params = Object.fromEntries(names.map((name, index) => [name, decode(values[index] ?? '')]));
      return { handler, params };
    }
    return undefined;
  }
}

function compile(each: Route): Compiled {
  const names: string[] = [];
  const source = each.pattern.replace(/\{(\w+)(\.\.\.)?\}/g, (_, name: string, isLong?: string) => {
    names.push(name);
    return isLong ? '(.+)' : '([^/]+)';
  });
  return { ...each, expression: new RegExp(`^${source}$`), names };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
