// The configurations of a sandbox's own images: one file each, named by its digest, read once.

import fs from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { InvalidParameter, messageOf } from '../errors.ts';
import { writeJsonText } from '../store/json-file.ts';
import { digestOf } from './blobs.ts';
import { OciImageConfig } from './oci-image.ts';

/** Longer than any real configuration, and short enough for 500 of them. */
export const MAX_CONFIG = 256 * 1024;
/** As in Docker, and as many lower directories as one mount takes. */
const MAX_LAYERS = 100;

/** A configuration and its exact text. */
export interface StoredConfig {
  rawConfig: string;
  config: OciImageConfig;
}

const Document = z.looseObject({ config: z.record(z.string(), z.unknown()).nullish() });

/** Docker writes null for what is not set; the image-spec knows absent fields only. */
function withoutNulls(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
}

/** Parses what an archive or a registry says. Throws InvalidParameter. */
export function parseImageConfig(rawConfig: string): OciImageConfig {
  if (Buffer.byteLength(rawConfig) > MAX_CONFIG)
    throw new InvalidParameter('the image configuration is too large');
  try {
    const { config: inner, ...outer } = Document.parse(JSON.parse(rawConfig));
    const config = OciImageConfig.parse({ ...withoutNulls(outer), config: withoutNulls(inner ?? {}) });
    if (config.rootfs.diff_ids.length > MAX_LAYERS) throw new InvalidParameter('max depth exceeded');
    return config;
  } catch (error) {
    if (error instanceof InvalidParameter) throw error;
    throw new InvalidParameter(`invalid image configuration: ${messageOf(error)}`, { cause: error });
  }
}

/** Owns the directory. */
export class ConfigStore {
  private readonly configs = new Map<string, StoredConfig>();

  private constructor(private readonly directory: string) {}

  /** Reads the configurations of these images; others are left from a crash and removed. */
  static async open(directory: string, ids: readonly string[]): Promise<ConfigStore> {
    const store = new ConfigStore(directory);
    const wanted = new Map(ids.map((id) => [store.nameOf(id), id]));
    const names = await fs.readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    for (const name of names) {
      const id = wanted.get(name);
      const file = path.join(directory, name);
      const rawConfig = id === undefined ? undefined : await fs.readFile(file, 'utf8');
      if (id !== undefined && rawConfig !== undefined && digestOf(rawConfig) === id) {
        store.configs.set(id, { rawConfig, config: parseImageConfig(rawConfig) });
      } else {
        await fs.rm(file, { force: true });
      }
    }
    return store;
  }

  get(id: string): StoredConfig | undefined {
    return this.configs.get(id);
  }

  async add(id: string, rawConfig: string): Promise<OciImageConfig> {
    const config = parseImageConfig(rawConfig);
    await writeJsonText(path.join(this.directory, this.nameOf(id)), rawConfig);
    this.configs.set(id, { rawConfig, config });
    return config;
  }

  async remove(id: string): Promise<void> {
    if (!this.configs.delete(id)) return;
    await fs.rm(path.join(this.directory, this.nameOf(id)), { force: true });
  }

  private nameOf(id: string): string {
    return `${id.replace(':', '-')}.json`;
  }
}
