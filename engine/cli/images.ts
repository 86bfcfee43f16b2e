// `berth images`: the catalogue that every lab host can pull from without a network, and adding to it.

import path from 'node:path';
import { parseArgs } from 'node:util';
import { ControlClient } from '../client/client.ts';
import { EngineUnreachable } from '../client/http.ts';
import { type CatalogueEntry, openCatalogue } from '../image/catalogue.ts';
import { familiarReference, parseReference } from '../image/reference.ts';
import { builtImages } from '../setup/catalogue.ts';
import { readImageRecipes } from '../setup/recipe.ts';
import { setUp } from '../setup/setup.ts';
import { type Command, say, showBytes, UsageError } from './command.ts';
import type { CliSettings } from './settings.ts';

const SHORT_ID = 12;

export const images: Command = {
  usage: 'images [add NAME… | add --all]',
  summary: 'list the bundled images, or build more of them',
  details:
    'Optional images, which take much space, are built when they are added, and kept current from then on.',
  async run(args, settings) {
    if (args[0] === 'add') return await addImages(args.slice(1), settings);
    if (args.length > 0)
      throw new UsageError(`berth images: unknown word ${args[0]}; use: berth images add NAME…`);
    await listImages(settings);
    return 0;
  },
};

async function addImages(args: string[], settings: CliSettings): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    options: { all: { type: 'boolean' } },
    allowPositionals: true,
    strict: true,
  });
  if (!values.all && positionals.length === 0)
    throw new UsageError('berth images add: name an image, or give --all');
  await setUp(settings, {
    withTests: false,
    images: values.all ? 'all' : positionals,
    environment: process.env,
    out: process.stdout,
  });
  await tellEngine(settings);
  say('Lab hosts can pull them now.');
  return 0;
}

/** One that does not run reads the catalogue when it starts. */
async function tellEngine({ controlSocket }: CliSettings): Promise<void> {
  const client = new ControlClient(controlSocket);
  try {
    await client.reloadImages();
  } catch (error) {
    if (!(error instanceof EngineUnreachable)) throw error;
  } finally {
    client.close();
  }
}

async function listImages({ dataDir, projectDir }: CliSettings): Promise<void> {
  const entries = (await openCatalogue(dataDir)).list();
  if (entries.length === 0) say('No images yet; make them with: berth setup');
  for (const entry of entries) sayEntry(entry);
  const built = await builtImages(dataDir);
  const recipes = await readImageRecipes(path.join(projectDir, 'content/images'));
  const more = recipes.filter((recipe) => !built.has(recipe.name));
  if (entries.length > 0 && more.length > 0) {
    say('');
    for (const { name, data } of more)
      say(`not built: ${name} (${data.description}); berth images add ${name}`);
  }
}

function sayEntry({ references, id, size, created, description }: CatalogueEntry): void {
  say(references.map((reference) => familiarReference(parseReference(reference))).join(' '));
  const shortId = id.replace('sha256:', '').slice(0, SHORT_ID);
  say(`    ${shortId}   ${showBytes(size)}   ${created.slice(0, 10)}   ${description}`);
}
