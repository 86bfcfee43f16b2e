import { describe, expect, it } from 'vitest';
import { EventBus } from './bus.ts';
import { Filters } from './filters.ts';
import { eventMatches } from './match.ts';

const KEYS = ['label', 'label!', 'dangling', 'name', 'type', 'event', 'container', 'image'];
const filters = (value: unknown) => Filters.parse(JSON.stringify(value), KEYS);

describe('the filters parameter', () => {
  it('reads lists and the older maps', () => {
    expect(filters({ name: ['a', 'b'] }).get('name')).toEqual(['a', 'b']);
    expect(filters({ name: { a: true, b: false } }).get('name')).toEqual(['a']);
  });

  it('refuses what is not JSON, and unknown keys', () => {
    expect(() => Filters.parse('{', KEYS)).toThrow('invalid filter');
    expect(() => filters({ bogus: ['1'] })).toThrow("invalid filter 'bogus'");
  });

  it('matches labels by name and by value, all of them', () => {
    const labels: Record<string, string> = { a: '1', b: '' };
    const holds = (value: unknown) => filters(value).labels((name) => labels[name]);
    expect(holds({ label: ['a', 'b'] })).toBe(true);
    expect(holds({ label: ['a=1'] })).toBe(true);
    expect(holds({ label: ['a=2'] })).toBe(false);
    expect(holds({ label: ['c'] })).toBe(false);
    expect(holds({ 'label!': ['c'] })).toBe(true);
    expect(holds({ 'label!': ['a=1'] })).toBe(false);
  });

  it('reads booleans and refuses what is none', () => {
    expect(filters({ dangling: ['true'] }).boolean('dangling')).toBe(true);
    expect(filters({ dangling: ['0'] }).boolean('dangling')).toBe(false);
    expect(filters({}).boolean('dangling')).toBeUndefined();
    expect(() => filters({ dangling: ['maybe'] }).boolean('dangling')).toThrow(
      "invalid filter 'dangling=[maybe]'",
    );
  });
});

describe('docker events', () => {
  it('tells listeners, keeps the last 1024, and selects by time', () => {
    const bus = new EventBus();
    const seen: string[] = [];
    const unsubscribe = bus.subscribe((event) => seen.push(event.Action));
    bus.publish('container', 'create', 'id', { image: 'busybox', name: 'x' });
    unsubscribe();
    for (let i = 0; i < 1100; i++) bus.publish('container', `a${i}`, 'id', {});
    expect(seen).toEqual(['create']);
    const kept = bus.since(0n);
    expect(kept).toHaveLength(1024);
    expect(kept[0]?.Action).toBe('a76');
    expect(bus.since(BigInt(Date.now() + 10_000) * 1_000_000n)).toEqual([]);
  });

  it('filters by type, action, container and image', () => {
    const bus = new EventBus();
    bus.publish('container', 'exec_start: sh ', 'c0ffee', { image: 'nginx:1', name: 'web' });
    const event = bus.since(0n)[0];
    if (!event) throw new Error('no event');
    expect(event).toMatchObject({ status: 'exec_start: sh ', id: 'c0ffee', from: 'nginx:1', scope: 'local' });
    const passes = (value: unknown) => eventMatches(event, filters(value));
    expect(passes({ container: ['web'] })).toBe(true);
    expect(passes({ container: ['c0ff'] })).toBe(true);
    expect(passes({ container: ['other'] })).toBe(false);
    expect(passes({ event: ['exec_start'] })).toBe(true);
    expect(passes({ image: ['nginx'] })).toBe(true);
    expect(passes({ type: ['image'] })).toBe(false);
  });
});
