// The log driver json-file: a file of JSON lines, without limits unless it is given some.

import type { ContainerRecord } from '../container/record.ts';
import { InvalidParameter } from '../errors.ts';
import { logAttributes } from './attributes.ts';
import type { LogDriver, LogOptions, LogPlan, LogRotation } from './driver.ts';
import { logPath } from './files.ts';
import { checkOptions, parseCount, parseFlag, parseSize } from './options.ts';

const OPTIONS = ['max-size', 'max-file', 'compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag'];

export const jsonFile: LogDriver = {
  validate(options) {
    checkOptions(options, OPTIONS, (name) => `unknown log opt '${name}' for json-file log driver`);
  },
  plan(record: ContainerRecord): LogPlan {
    const rotation = rotationOf(record.hostConfig.LogConfig.Config);
    const attrs = logAttributes(record);
    return {
      path: logPath(record.id),
      ...(rotation ? { rotation } : {}),
      ...(attrs === undefined ? {} : { attrs }),
    };
  },
  path: logPath,
};

function rotationOf(options: LogOptions): LogRotation | undefined {
  const size = options['max-size'] === undefined ? undefined : parseSize(options['max-size']);
  if (size !== undefined && size <= 0) throw new InvalidParameter('max-size must be a positive number');
  const files = options['max-file'] === undefined ? 1 : parseCount(options['max-file']);
  if (files < 1) throw new InvalidParameter('max-file cannot be less than 1');
  const compresses = options.compress !== undefined && parseFlag(options.compress);
  if (compresses && (files === 1 || size === undefined)) {
    throw new InvalidParameter('compress cannot be true when max-file is less than 2 or max-size is not set');
  }
  return size === undefined ? undefined : { size, files, compresses };
}
