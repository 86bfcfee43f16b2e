// What a proxy does to headers: hop-by-hop ones end here (RFC 9110, 7.6.1), and addresses are those of the other side.

import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';

const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** The two names of one place: how the browser calls it, and how the program in the lab host calls itself. */
export interface Places {
  /** `http://8080--session.localhost:3000` */
  outside: string;
  /** `http://localhost:8080` */
  inside: string;
}

/** Headers for the program in the lab host, which shall believe that it is asked at localhost. */
export function requestHeaders(headers: IncomingHttpHeaders, places: Places): OutgoingHttpHeaders {
  const rest = withoutHops(headers);
  const { origin, referer } = headers;
  return {
    ...rest,
    host: new URL(places.inside).host,
    'x-forwarded-host': new URL(places.outside).host,
    'x-forwarded-proto': 'http',
    ...(origin === places.outside ? { origin: places.inside } : {}),
    ...(referer?.startsWith(`${places.outside}/`)
      ? { referer: places.inside + referer.slice(places.outside.length) }
      : {}),
  };
}

/** Headers for the browser: redirects to the program's own address lead to the preview's. */
export function responseHeaders(headers: IncomingHttpHeaders, places: Places): OutgoingHttpHeaders {
  const rest = withoutHops(headers);
  const { location } = headers;
  if (location === undefined) return rest;
  const isOwn = location === places.inside || location.startsWith(`${places.inside}/`);
  return isOwn ? { ...rest, location: places.outside + location.slice(places.inside.length) } : rest;
}

function withoutHops(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const dropped = new Set([...HOP_BY_HOP, ...named]);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !dropped.has(name)));
}
