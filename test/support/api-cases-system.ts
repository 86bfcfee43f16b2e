// Operations of the whole daemon that are refused, as dockerd 26.1 refuses them.

import type { ApiCase } from './api-case.ts';

export const SYSTEM_CASES: readonly ApiCase[] = [
  ['GET', '/system/df?type=bogus', 400, 'unknown object type: bogus'],
  ['GET', '/events?until=1&filters=xx', 400, 'invalid filter'],
  ['GET', '/events?since=10&until=5', 400, '`since` time (10) cannot be after `until` time (5)'],
  [
    'GET',
    '/v1.1/info',
    400,
    'client version 1.1 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  ],
  ['GET', '/nosuch', 404, 'page not found'],
  ['POST', '/info', 404, 'page not found'],
  ['DELETE', '/version', 404, 'page not found'],
];
