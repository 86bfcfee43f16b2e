// What a build fails with: the words that BuildKit uses, and the place in the Dockerfile that they are about.

import { EngineError } from '../errors.ts';
import type { SourceRange } from './graph.ts';

/** A build that failed for a reason its author can mend. Fronts print `source` with the lines around it. */
export class BuildError extends EngineError {
  /** undefined where no line of the Dockerfile is to blame */
  readonly source: SourceRange | undefined;

  constructor(message: string, source?: SourceRange, options?: ErrorOptions) {
    super(400, message, options);
    this.source = source;
  }
}
