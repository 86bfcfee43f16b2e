// Regular expressions of lab authors, which must not be able to stall the server.

import vm from 'node:vm';

/** longest time for one match; an expression that needs more is as good as wrong */
const MATCH_TIMEOUT = 100;

const context = vm.createContext(Object.create(null));
const script = new vm.Script('new RegExp(source, "m").test(subject)');

/** Whether the pattern (JavaScript's syntax, `^` and `$` at each line) is found in the text; throws when it takes too long. */
export function matchesPattern(source: string, subject: string): boolean {
  Object.assign(context, { source, subject });
  try {
    return script.runInContext(context, { timeout: MATCH_TIMEOUT }) === true;
  } catch (error) {
    // not instanceof: the error may be of another context
    if (
      error &&
      typeof error === 'object' &&
      'code' in error &&
      error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
    ) {
      throw new Error(`the pattern /${source}/ takes too long to match`);
    }
    throw error;
  } finally {
    Object.assign(context, { source: '', subject: '' });
  }
}

/** What is wrong with a pattern's syntax. */
export function patternProblem(source: string): string | undefined {
  try {
    new RegExp(source, 'm');
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
