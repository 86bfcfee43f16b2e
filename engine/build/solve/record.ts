// One record of the build cache, as it is kept.

import { z } from 'zod';
import type { StepLayer } from '../execute/snapshot.ts';

const Hex = z.string().regex(/^[0-9a-f]{64}$/);
/** below Docker's root: a build's layer, or one of an image */
const Location = z
  .string()
  .regex(/^(?:buildkit\/[0-9a-f]{12}\/files|(?:shared|overlay2)\/[0-9A-Za-z._-]{1,80})$/);

const KeptLayer = z.object({
  location: Location,
  diffId: z.string().max(100).optional(),
  created: z.string().max(40).optional(),
  size: z.number().int().nonnegative().optional(),
});
export type KeptLayer = z.infer<typeof KeptLayer>;

export const KeptRecord = z.object({
  id: z.string().regex(/^[0-9a-z]{25}$/),
  /** the step's name without its number */
  description: z.string().max(4096),
  /** of what it was made from exactly */
  key: Hex,
  /** by which definitions it is found, newest last */
  aliases: z.array(Hex).max(64),
  operation: Hex,
  root: z.union([Hex, z.literal('')]),
  layers: z.array(KeptLayer).max(200),
  /** milliseconds since the epoch */
  created: z.number(),
  lastUsed: z.number(),
  uses: z.number().int().nonnegative(),
});
export type KeptRecord = z.infer<typeof KeptRecord>;

export const KeptRecords = z.object({ version: z.literal(1), records: z.array(KeptRecord).max(10_000) });

/** A record at work: its layers are the same objects that steps and images share. */
export interface Result extends Omit<KeptRecord, 'layers'> {
  readonly layers: readonly StepLayer[];
}

export function keep({ layers, ...record }: Result): KeptRecord {
  return {
    ...record,
    layers: layers.map(({ location, diffId, created, size }) => ({
      location,
      ...(diffId === undefined ? {} : { diffId }),
      ...(created === undefined ? {} : { created }),
      ...(size === undefined ? {} : { size }),
    })),
  };
}

/** Directory of a layer that a build made and no image has yet; undefined for others. */
export function buildDirectory({ location }: Pick<StepLayer, 'location'>): string | undefined {
  return /^(buildkit\/[0-9a-f]+)\/files$/.exec(location)?.[1];
}
