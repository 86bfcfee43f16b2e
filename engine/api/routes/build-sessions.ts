// /grpc and /session: BuildKit's clients call the daemon on the one, and are called back on the other.

import { buildkitMethods } from '../../build/buildkit/control.ts';
import { serveGrpc } from '../../build/grpc/server.ts';
import type { BuildFronts } from '../../build/parts.ts';
import { SessionRegistry } from '../../build/session/sessions.ts';
import { InvalidParameter } from '../../errors.ts';
import type { Call, Upgrade } from '../call.ts';
import { type Route, route } from '../router.ts';

export function buildSessionRoutes(fronts: BuildFronts): Route[] {
  const methods = buildkitMethods(fronts);
  return [
    route('POST', '/grpc', async (call) => {
      const { socket } = takeOver(fronts, call);
      await serveGrpc(socket, methods, (error) => fronts.log.error({ err: error }, 'BuildKit call'));
    }),
    route('POST', '/session', async (call) => {
      const about = SessionRegistry.describe(call.req.headers);
      fronts.sessions.checkRoom(about.id);
      const { socket } = takeOver(fronts, call);
      await fronts.sessions.serve(socket, about);
    }),
  ];
}

/** Answers `101`, and hands over the connection, on which HTTP/2 begins. */
function takeOver({ connections }: BuildFronts, call: Call): Upgrade {
  const { upgrade } = call;
  if (call.req.headers.upgrade?.toLowerCase() !== 'h2c' || !upgrade) {
    throw new InvalidParameter('no upgrade proto in request');
  }
  const { socket } = upgrade;
  connections.add(socket);
  socket.once('close', () => connections.delete(socket));
  socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  if (upgrade.head.length > 0) socket.unshift(upgrade.head);
  return upgrade;
}
