// EXPOSE: ports of the image.

import { withEntries } from './apply-config.ts';
import { quote } from './go-text.ts';
import type { ExposeInstruction } from './instruction.ts';
import type { Expander, PlanContext } from './plan-context.ts';
import type { StageState } from './stage-state.ts';

const PORT_MAX = 65_535;

export function applyExpose(
  state: StageState,
  instruction: ExposeInstruction,
  expander: Expander,
  { checker }: PlanContext,
): void {
  const ports = new Set<string>();
  for (const spec of instruction.ports.flatMap((port) => expander.words(port))) {
    const { protocol, address, hostPort, range } = parseSpec(spec);
    if (protocol !== protocol.toLowerCase()) {
      const message = `Defined protocol '${spec}' in EXPOSE instruction should be lowercase`;
      checker.report('ExposeProtoCasing', instruction.source, message, instruction.statement);
    }
    if (address !== '' || hostPort !== '') {
      const message = `EXPOSE instruction should not define an IP address or host-port mapping, found '${spec}'`;
      checker.report('ExposeInvalidFormat', instruction.source, message, instruction.statement);
    }
    const [first, last] = range;
    for (let port = first; port <= last; port += 1) ports.add(`${port}/${protocol.toLowerCase()}`);
  }
  const { config } = state.image;
  config.ExposedPorts = withEntries(
    config.ExposedPorts,
    [...ports].map((port) => [port, {}] as const),
  );
  const shown = [...ports].sort().map((port) => `${port}:{}`);
  state.record(`EXPOSE map[${shown.join(' ')}]`);
}

/** `[address:][host port:]port[/protocol]`; ports may be ranges. Throws an Error in Docker's words. */
function parseSpec(spec: string) {
  const parts = spec.split(':');
  const container = parts.at(-1) ?? '';
  const hostPort = parts.at(-2) ?? '';
  const address = parts.slice(0, -2).join(':');
  const [ports = '', protocol = 'tcp'] = container.split(/\/(.*)/s, 2);
  if (ports === '') throw new Error(`invalid port: ${quote(spec)}: no port specified`);
  if (!/^(?:tcp|udp|sctp|)$/i.test(protocol)) {
    throw new Error(`invalid port: ${quote(spec)}: invalid proto: ${protocol}`);
  }
  const range = parseRange(ports);
  if (range === undefined) throw new Error(`invalid containerPort: ${ports}`);
  if (hostPort !== '' && parseRange(hostPort) === undefined) {
    throw new Error(`invalid hostPort: ${hostPort}`);
  }
  return { address, hostPort, range, protocol: protocol === '' ? 'tcp' : protocol };
}

function parseRange(text: string): [first: number, last: number] | undefined {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === undefined ? first : Number(match[2]);
  return first <= last && last <= PORT_MAX ? [first, last] : undefined;
}
