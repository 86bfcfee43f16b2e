// Every kind of check by its name; a new kind is one file and one line here.

import type { CheckKind } from './check.ts';
import { containerCheck } from './container.ts';
import { fileCheck } from './file.ts';
import { httpCheck } from './http.ts';
import { imageCheck } from './image.ts';
import { processCheck } from './process.ts';
import { scriptCheck } from './script.ts';

export const CHECK_KINDS: ReadonlyMap<string, CheckKind> = new Map(
  [containerCheck, imageCheck, httpCheck, processCheck, fileCheck, scriptCheck].map((kind) => [
    kind.name,
    kind,
  ]),
);
