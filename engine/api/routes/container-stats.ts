// /containers/{id}/stats: samples as they are taken.

import type { ContainerParts } from '../../container/parts.ts';
import { containerStats } from '../../container/stats.ts';
import { InvalidParameter } from '../../errors.ts';
import type { Call } from '../call.ts';
import { type Route, route } from '../router.ts';
import { writeTo } from '../streams.ts';

export function containerStatsRoutes(parts: ContainerParts): Route[] {
  return [route('GET', '/containers/{id}/stats', (call) => stats(parts, call))];
}

async function stats(parts: ContainerParts, call: Call): Promise<void> {
  const container = parts.containers.get(call.param('id'));
  const stream = call.flag('stream', true);
  const oneShot = call.flag('one-shot');
  if (stream && oneShot) throw new InvalidParameter('cannot have stream=true and one-shot=true');
  const samples = containerStats(parts, container, { stream, oneShot, signal: call.signal });
  // What fails before the first sample is told as an error.
  const first = await samples.next();
  const output = call.stream(200, 'application/json');
  if (!first.done) output.write(`${JSON.stringify(first.value)}\n`);
  for await (const sample of samples) {
    if (!(await writeTo(output, Buffer.from(`${JSON.stringify(sample)}\n`), call.signal))) return;
  }
  output.end();
}
