// GET /events: what happened and what happens, one JSON object a line.

import { InvalidParameter } from '../../errors.ts';
import type { DockerEvent, EventBus } from '../../events/bus.ts';
import { nowNanos, parseTimestamp } from '../../events/clock.ts';
import { Filters } from '../../events/filters.ts';
import { eventMatches } from '../../events/match.ts';
import type { Call } from '../call.ts';
import { type Route, route } from '../router.ts';

const EVENT_FILTERS =
  'config container daemon event image label network node plugin scope secret service type volume'.split(' ');
/** A client that reads this slowly is cut off rather than kept in memory. */
const MAX_UNSENT = 2 ** 20;
const LONGEST_TIMER = 2 ** 31 - 1;

export function eventRoutes(events: EventBus): Route[] {
  return [route('GET', '/events', (call) => stream(events, call))];
}

async function stream(events: EventBus, call: Call): Promise<void> {
  const filters = Filters.parse(call.query.get('filters'), EVENT_FILTERS);
  const since = parseTimestamp(call.query.get('since'));
  const until = parseTimestamp(call.query.get('until'));
  if (since !== undefined && until !== undefined && since > until) {
    const times = [call.text('since'), call.text('until')];
    throw new InvalidParameter(`\`since\` time (${times[0]}) cannot be after \`until\` time (${times[1]})`);
  }
  const output = call.stream(200, 'application/json');
  const send = (event: DockerEvent) => {
    if (until !== undefined && event.timeNano > Number(until)) return;
    if (!eventMatches(event, filters)) return;
    output.write(`${JSON.stringify(event)}\n`);
    if (output.writableLength > MAX_UNSENT) output.destroy();
  };
  if (since !== undefined) for (const event of events.since(since)) send(event);
  if (until !== undefined && until <= nowNanos()) {
    output.end();
    return;
  }
  const unsubscribe = events.subscribe(send);
  try {
    await endOf(call, until);
  } finally {
    unsubscribe();
    output.end();
  }
}

/** Resolves at `until`, or when the client goes. */
function endOf(call: Call, until: bigint | undefined): Promise<void> {
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const end = () => {
      clearTimeout(timer);
      resolve();
    };
    if (until !== undefined) {
      const milliseconds = Number((until - nowNanos()) / 1_000_000n) + 1;
      timer = setTimeout(end, Math.min(milliseconds, LONGEST_TIMER));
    }
    call.signal.addEventListener('abort', end, { once: true });
  });
}
