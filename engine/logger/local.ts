// The log driver local: limited and compressed by default. Its lines are json-file's; Docker's are protobuf, for no one else to read.

import type { ContainerRecord } from '../container/record.ts';
import { InvalidParameter } from '../errors.ts';
import type { LogDriver, LogPlan } from './driver.ts';
import { localLogDir, localLogPath } from './files.ts';
import { checkOptions, parseCount, parseFlag, parseSize } from './options.ts';

const OPTIONS = ['max-size', 'max-file', 'compress'];
/** moby's daemon/logger/local */
const DEFAULTS = { size: 20 * 2 ** 20, files: 5, compresses: true };

export const local: LogDriver = {
  validate(options) {
    checkOptions(options, OPTIONS, (name) => `unknown log opt '${name}' for log driver local`);
  },
  plan({ id, hostConfig: { LogConfig } }: ContainerRecord): LogPlan {
    const options = LogConfig.Config;
    const size = options['max-size'] === undefined ? DEFAULTS.size : parseSize(options['max-size']);
    const files = options['max-file'] === undefined ? DEFAULTS.files : parseCount(options['max-file']);
    const compresses = options.compress === undefined ? DEFAULTS.compresses : parseFlag(options.compress);
    if (files < 0) throw new InvalidParameter('max file count should be a positive number');
    if (compresses && files <= 1) {
      throw new InvalidParameter('compression cannot be enabled when max file count is 1');
    }
    return {
      path: localLogPath(id),
      directory: localLogDir(id),
      ...(size > 0 ? { rotation: { size, files: Math.max(1, files), compresses } } : {}),
    };
  },
  path: localLogPath,
};
