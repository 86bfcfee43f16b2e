// The labs that this server offers, rendered, and read again when their files change.

import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { formatProblem } from '../../labs/lab.ts';
import { type LoadedLab, loadLab, loadLabs } from '../../labs/load.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';

/** A slug is also part of a sandbox's name and of a preview's host name, whose labels have at most 63 letters. */
const SHORT_SLUG = /^[a-z0-9](?:[a-z0-9-]{0,54}[a-z0-9])?$/;

/** `labs/order.json`: the slugs in the order in which to take them; labs that it does not name follow by title. */
const Order = z.array(z.string());

interface Shelved extends LoadedLab {
  /** of its lab.md, milliseconds */
  modified: number;
}

/** All labs of a content folder. */
export class LabShelf {
  readonly #directory: string;
  readonly #log: Logger;
  #labs = new Map<string, Shelved>();
  #order: string[] = [];

  private constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Reads `<contentDir>/labs`; labs with problems are left out, and the log names the problems. */
  static async open(contentDir: string, log: Logger): Promise<LabShelf> {
    const shelf = new LabShelf(path.join(contentDir, 'labs'), log);
    const { labs, problems } = await loadLabs(shelf.#directory);
    for (const problem of problems) log.warn(formatProblem(problem));
    for (const lab of labs) await shelf.#put(lab);
    shelf.#order = await readOrder(path.join(shelf.#directory, 'order.json'), log);
    return shelf;
  }

  /** In the order in which to take them. */
  list(): LoadedLab[] {
    return [...this.#labs.values()].sort(
      (a, b) => this.#placeOf(a.slug) - this.#placeOf(b.slug) || a.lab.title.localeCompare(b.lab.title),
    );
  }

  get(slug: string): LoadedLab | undefined {
    return this.#labs.get(slug);
  }

  /** The lab to take after this one. */
  next(slug: string): LoadedLab | undefined {
    const labs = this.list();
    const index = labs.findIndex((each) => each.slug === slug);
    return index < 0 ? undefined : labs[index + 1];
  }

  /** The lab as its file says now, so that an author sees changes with a reload; the last good one when it has problems. */
  async fresh(slug: string): Promise<LoadedLab | undefined> {
    const known = this.#labs.get(slug);
    if (!known) return undefined;
    const facts = await stat(path.join(known.directory, 'lab.md')).catch(() => undefined);
    if (!facts || facts.mtimeMs === known.modified) return known;
    const loaded = await loadLab(known.directory);
    for (const problem of loaded?.problems ?? []) this.#log.warn(formatProblem(problem));
    if (loaded?.lab) await this.#put(loaded.lab);
    return this.#labs.get(slug);
  }

  #placeOf(slug: string): number {
    const place = this.#order.indexOf(slug);
    return place < 0 ? this.#order.length : place;
  }

  async #put(lab: LoadedLab): Promise<void> {
    if (!SHORT_SLUG.test(lab.slug)) {
      this.#log.warn(`${lab.directory}: the folder's name must have at most 56 letters and not end with -`);
      return;
    }
    const facts = await stat(path.join(lab.directory, 'lab.md'));
    this.#labs.set(lab.slug, { ...lab, modified: facts.mtimeMs });
  }
}

async function readOrder(file: string, log: Logger): Promise<string[]> {
  try {
    return Order.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    log.warn({ file, reason: messageOf(error) }, 'the labs are listed by title');
    return [];
  }
}
