// Requests that another site made a browser send are refused: there is no login that could be missing from them.

import type { IncomingMessage } from 'node:http';

const SAFE_METHODS = new Set(['GET', 'HEAD']);
/** `none`: the person typed the address or followed a bookmark */
const OWN_SITES = new Set(['same-origin', 'none']);

/**
 * Why a request must be refused, or undefined when it may pass. Changing anything and opening a websocket take an Origin
 * that is exactly this server's; reading is refused when the browser says that another site asks.
 * A preview is another site: it has an origin of its own.
 */
export function refusalOf(request: IncomingMessage, isWebSocket: boolean): string | undefined {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  if (origin !== undefined && origin !== `http://${host}`) return 'this origin may not use Berth';
  if (typeof site === 'string' && !OWN_SITES.has(site)) return 'requests from other sites are refused';
  const isHarmless = !isWebSocket && SAFE_METHODS.has(request.method ?? '');
  if (!isHarmless && origin === undefined) return 'an Origin header is needed for this';
  return undefined;
}
