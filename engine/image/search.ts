// docker search: the catalogue, which is what a lab host can pull; or an old registry that can be searched.

import { z } from 'zod';
import type { Filters } from '../events/filters.ts';
import type { InitApi } from '../sandbox/init-types.ts';
import type { Catalogue } from './catalogue.ts';
import type { ImageSources } from './pull.ts';
import { familiarName, parseReference, repositoryName } from './reference.ts';

export const SEARCH_FILTERS = ['is-automated', 'is-official', 'stars'];

const Result = z.object({
  star_count: z.number().default(0),
  is_official: z.boolean().default(false),
  name: z.string(),
  is_automated: z.boolean().default(false),
  description: z
    .string()
    .nullish()
    .transform((text) => text ?? ''),
});
type Result = z.infer<typeof Result>;

const Answer = z.looseObject({ results: z.array(Result).nullish() });

export interface Search {
  term: string;
  limit: number;
  filters: Filters;
}

/** GET /images/search. A term with a registry's name asks that one (`localhost:5000/web`). */
export async function searchImages(
  init: InitApi,
  { catalogue, registries }: ImageSources,
  { term, limit, filters }: Search,
  signal: AbortSignal,
): Promise<Result[]> {
  const [, host, rest] = /^([^/]*[.:][^/]*|localhost)\/(.*)$/.exec(term) ?? [];
  const found =
    host !== undefined && rest !== undefined && host !== 'docker.io'
      ? (Answer.parse(await registries.search(init, host, rest, limit, signal)).results ?? [])
      : searchCatalogue(catalogue, term.replace(/^docker\.io\//, ''));
  const isOfficial = filters.boolean('is-official');
  const isAutomated = filters.boolean('is-automated');
  const stars = Math.max(0, ...filters.get('stars').map(Number));
  return found
    .filter(
      (each) =>
        (isOfficial === undefined || each.is_official === isOfficial) &&
        (isAutomated === undefined || each.is_automated === isAutomated) &&
        each.star_count >= stars,
    )
    .slice(0, limit);
}

function searchCatalogue(catalogue: Catalogue, term: string): Result[] {
  const words = term.toLowerCase().split(/\s+/).slice(0, 10);
  const byName = new Map<string, Result>();
  for (const entry of catalogue.list()) {
    for (const text of entry.references) {
      const reference = parseReference(text);
      const name = familiarName(reference);
      const searched = `${name} ${entry.description}`.toLowerCase();
      if (byName.has(name) || !words.every((word) => searched.includes(word))) continue;
      byName.set(name, {
        star_count: 0,
        is_official: repositoryName(reference).startsWith('docker.io/library/'),
        name,
        is_automated: false,
        description: entry.description,
      });
    }
  }
  // what is called so comes before what mentions it
  const rank = ({ name }: Result) => (name === words[0] ? 0 : name.includes(words[0] ?? '') ? 1 : 2);
  return [...byName.values()].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}
