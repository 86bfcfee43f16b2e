// What happened in one sandbox, told to everyone who listens, and the last of it kept for those who ask later.

import { nowNanos } from './clock.ts';

export type EventType = 'container' | 'image' | 'network' | 'volume' | 'daemon' | 'builder';

/** One event as GET /events sends it. `status`, `id` and `from` are the older form of container and image events. */
export type DockerEvent = {
  status?: string;
  id?: string;
  from?: string;
  Type: EventType;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  time: number;
  timeNano: number;
};

const KEPT = 1024;
/** Characters of all that is kept, since labels and commands are as long as students make them. */
const KEPT_SIZE = 4 * 2 ** 20;

/** The events of one sandbox. */
export class EventBus {
  private readonly recent: { event: DockerEvent; size: number }[] = [];
  private size = 0;
  private readonly listeners = new Set<(event: DockerEvent) => void>();

  publish(type: EventType, action: string, id: string, attributes: Record<string, string>): void {
    const nanos = nowNanos();
    const event: DockerEvent = {
      ...(type === 'container' || type === 'image' ? { status: action, id } : {}),
      ...(type === 'container' && attributes.image !== undefined ? { from: attributes.image } : {}),
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      time: Number(nanos / 1_000_000_000n),
      timeNano: Number(nanos),
    };
    this.keep(event);
    for (const listener of this.listeners) listener(event);
  }

  private keep(event: DockerEvent): void {
    const size = JSON.stringify(event).length;
    this.recent.push({ event, size });
    this.size += size;
    while (this.recent.length > KEPT || (this.size > KEPT_SIZE && this.recent.length > 1)) {
      this.size -= this.recent.shift()?.size ?? 0;
    }
  }

  /** Calls the listener for every event from now on; returns what ends it. */
  subscribe(listener: (event: DockerEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** The kept events at or after a time, oldest first. */
  since(nanos: bigint): DockerEvent[] {
    return this.recent.map(({ event }) => event).filter((event) => event.timeNano >= Number(nanos));
  }
}
