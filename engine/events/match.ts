// Which events a client asked for with `docker events --filter`.

import type { DockerEvent } from './bus.ts';
import type { Filters } from './filters.ts';

const TYPES = ['container', 'image', 'network', 'volume', 'daemon', 'plugin'] as const;

/** Whether an event passes the filters: every key must match, by any of its values. */
export function eventMatches(event: DockerEvent, filters: Filters): boolean {
  const { ID: id, Attributes: attributes } = event.Actor;
  const isNamed = (type: string, wanted: string) =>
    event.Type === type && (id === wanted || id.startsWith(wanted) || attributes.name === wanted);
  return (
    filters.any('type', (value) => value === event.Type) &&
    filters.any('event', (value) => event.Action === value || event.Action.startsWith(`${value}:`)) &&
    filters.any('scope', (value) => value === event.scope) &&
    filters.labels((name) => attributes[name]) &&
    TYPES.filter((type) => type !== 'image').every((type) =>
      filters.any(type, (value) => isNamed(type, value)),
    ) &&
    filters.any('image', (value) => isImage(event, value))
  );
}

function isImage(event: DockerEvent, wanted: string): boolean {
  const name = event.Type === 'image' ? event.Actor.Attributes.name : event.Actor.Attributes.image;
  if (event.Type === 'image' && event.Actor.ID === wanted) return true;
  return name !== undefined && (name === wanted || name.replace(/:[^/:]*$/, '') === wanted);
}
