// The log driver none: what nobody is attached to is dropped.

import type { LogDriver } from './driver.ts';

export const none: LogDriver = {
  // whatever the options are, as Docker's daemon; its CLI refuses them
  validate: () => undefined,
  plan: () => undefined,
  path: () => undefined,
};
