// Operations of the Docker Engine API that Berth does not do yet: a clear 501 each, and Docker's 503 for swarm.

import { NotImplemented, Unavailable } from '../../errors.ts';
import { type Route, route } from '../router.ts';

const NOT_YET: readonly [method: string, pattern: string, what: string][] = [
  ['POST', '/containers/{id}/copy', 'docker cp'],
  ['POST', '/containers/{id}/checkpoints', 'docker checkpoint'],
  ['GET', '/containers/{id}/checkpoints', 'docker checkpoint'],
  ['DELETE', '/containers/{id}/checkpoints/{checkpoint}', 'docker checkpoint'],
];

const SWARM = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'];
const METHODS = ['GET', 'POST', 'DELETE'];

export function unsupportedRoutes(): Route[] {
  const notYet = NOT_YET.map(([method, pattern, what]) =>
    route(method, pattern, () => {
      throw new NotImplemented(`${what} is not supported by Berth yet`);
    }),
  );
  const swarm = SWARM.flatMap((name) =>
    METHODS.flatMap((method) => [
      route(method, `/${name}`, refuseSwarm),
      route(method, `/${name}/{rest...}`, refuseSwarm),
    ]),
  );
  const swarmFirst = [
    route('POST', '/swarm/leave', () => {
      throw new Unavailable('This node is not part of a swarm');
    }),
    ...['/swarm/init', '/swarm/join'].map((pattern) =>
      route('POST', pattern, () => {
        throw new NotImplemented('docker swarm is not supported by Berth yet');
      }),
    ),
  ];
  return [...notYet, ...swarmFirst, ...swarm];
}

function refuseSwarm(): never {
  throw new Unavailable(
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}
