// /plugins: there are none, and none can be installed: a plugin is a program that runs beside the daemon, with its rights.

import { NotFound, NotImplemented } from '../../errors.ts';
import { Filters } from '../../events/filters.ts';
import type { Call } from '../call.ts';
import { type Route, route } from '../router.ts';

const PLUGIN_FILTERS = ['capability', 'enabled'];

export function pluginRoutes(): Route[] {
  const install = (method: string, pattern: string) =>
    route(method, pattern, () => {
      throw new NotImplemented('docker plugin is not supported by Berth');
    });
  return [
    route('GET', '/plugins', (call) => {
      Filters.parse(call.query.get('filters'), PLUGIN_FILTERS);
      call.send(200, []);
    }),
    install('GET', '/plugins/privileges'),
    install('POST', '/plugins/pull'),
    install('POST', '/plugins/create'),
    route('GET', '/plugins/{name...}/json', refuseUnknown),
    ...['enable', 'disable', 'upgrade', 'push', 'set'].map((verb) =>
      route('POST', `/plugins/{name...}/${verb}`, refuseUnknown),
    ),
    route('DELETE', '/plugins/{name...}', refuseUnknown),
  ];
}

function refuseUnknown(call: Call): never {
  throw new NotFound(`plugin ${JSON.stringify(call.param('name'))} not found`);
}
