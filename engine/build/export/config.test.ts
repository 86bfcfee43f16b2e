import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { PlannedHistory } from '../graph.ts';
import { imageConfig } from './config.ts';

const Written = z.object({
  created: z.string().optional(),
  history: z.array(z.looseObject({ created: z.string().optional(), empty_layer: z.boolean().optional() })),
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
});

const config = { Env: ['A=b'] };
const image = { os: 'linux', architecture: 'amd64', config };
const EMPTY = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';
const BASE = '2026-01-01T00:00:00Z';
const FIRST = '2026-06-01T00:00:00.000000001Z';
const SECOND = '2026-06-02T00:00:00.5Z';

function entry(createdBy: string, isEmptyLayer: boolean, created?: string): PlannedHistory {
  const comment = created === undefined ? 'buildkit.dockerfile.v0' : '';
  return { createdBy, comment, isEmptyLayer, ...(created === undefined ? {} : { created }) };
}

function write(...args: Parameters<typeof imageConfig>) {
  const { text, diffIds } = imageConfig(...args);
  return { text, diffIds, ...Written.parse(JSON.parse(text)) };
}

describe('the configuration of an image that was built', () => {
  const history = [
    entry('base', false, BASE),
    entry('ENV A=b', true),
    entry('RUN make', false),
    entry('LABEL x=y', true),
    entry('COPY . .', false),
    entry('CMD run', true),
  ];
  const layers = [
    { diffId: 'sha256:base', created: undefined },
    { diffId: 'sha256:first', created: FIRST },
    { diffId: 'sha256:second', created: SECOND },
  ];

  it('dates entries by the layers around them', () => {
    const { history: written, created } = write({ image, history }, layers, undefined);
    expect(written.map((each) => each.created)).toEqual([BASE, FIRST, FIRST, FIRST, SECOND, SECOND]);
    expect(created).toBe(SECOND);
  });

  it('is the same text for the same layers', () => {
    const again = write(
      { image: { config, architecture: 'amd64', os: 'linux' }, history },
      layers,
      undefined,
    );
    expect(again.text).toBe(write({ image, history }, layers, undefined).text);
  });

  it('is the same text for the same labels in another order', () => {
    const labeled = (Labels: Record<string, string>) =>
      write({ image: { ...image, config: { ...config, Labels } }, history }, layers, undefined).text;
    expect(labeled({ b: '1', a: '2' })).toBe(labeled({ a: '2', b: '1' }));
  });

  it('says that a layer without entries is none', () => {
    const empties = layers.map((layer, index) => (index === 1 ? { ...layer, diffId: EMPTY } : layer));
    const { history: written, rootfs } = write({ image, history }, empties, undefined);
    expect(rootfs.diff_ids).toEqual(['sha256:base', 'sha256:second']);
    expect(written[2]).toMatchObject({ created: FIRST, empty_layer: true });
  });

  it('has the time of its base when it only configures', () => {
    const plan = { image, history: history.slice(0, 2) };
    const { created, history: written } = write(plan, layers.slice(0, 1), undefined);
    expect(created).toBe(BASE);
    expect(written[1]?.created).toBe(BASE);
  });

  it('has no time when nothing has one', () => {
    const { created, history: written } = write(
      { image, history: [entry('LABEL a=b', true)] },
      [],
      undefined,
    );
    expect(created).toBeUndefined();
    expect(written).toEqual([
      { created_by: 'LABEL a=b', comment: 'buildkit.dockerfile.v0', empty_layer: true },
    ]);
  });

  it('has no time later than SOURCE_DATE_EPOCH', () => {
    const epoch = Date.parse('2026-03-01T00:00:00Z') / 1000;
    const { created, history: written } = write({ image, history }, layers, epoch);
    const latest = '2026-03-01T00:00:00Z';
    expect(written.map((each) => each.created)).toEqual([BASE, latest, latest, latest, latest, latest]);
    expect(created).toBe(latest);
  });

  it('has an entry for every layer, whatever the base told', () => {
    const missing = write({ image, history: history.slice(1) }, layers, undefined);
    expect(missing.history.at(-1)).toMatchObject({ comment: 'buildkit.exporter.image.v0' });
    const tooMany = write({ image, history }, layers.slice(0, 2), undefined);
    expect(tooMany.history.map((each) => each.empty_layer ?? false)).toEqual([
      true,
      true,
      false,
      true,
      false,
      true,
    ]);
  });
});
