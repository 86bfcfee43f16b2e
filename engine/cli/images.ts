// `berth images`: the catalogue that every lab host can pull from without a network.

import { openCatalogue } from '../image/catalogue.ts';
import { familiarReference, parseReference } from '../image/reference.ts';
import { type Command, say, showBytes } from './command.ts';

const SHORT_ID = 12;

export const images: Command = {
  usage: 'images',
  summary: 'list the bundled images',
  async run(_args, { dataDir }) {
    const entries = (await openCatalogue(dataDir)).list();
    if (entries.length === 0) say('No images yet; make them with: berth setup');
    for (const { references, id, size, created, description } of entries) {
      say(references.map((reference) => familiarReference(parseReference(reference))).join(' '));
      const shortId = id.replace('sha256:', '').slice(0, SHORT_ID);
      say(`    ${shortId}   ${showBytes(size)}   ${created.slice(0, 10)}   ${description}`);
    }
    return 0;
  },
};
