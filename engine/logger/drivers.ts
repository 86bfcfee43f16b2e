// The log drivers by name.

import type { ContainerRecord } from '../container/record.ts';
import { InvalidParameter, messageOf, NotImplemented, SystemError } from '../errors.ts';
import type { LogDriver, LogOptions, LogPlan } from './driver.ts';
import { jsonFile } from './json-file.ts';
import { local } from './local.ts';
import { none } from './none.ts';

const DRIVERS: Readonly<Record<string, LogDriver>> = { 'json-file': jsonFile, local, none };
/** Docker's others send a container's output to services that a lab host does not have. */
const ELSEWHERE = ['awslogs', 'fluentd', 'gcplogs', 'gelf', 'journald', 'splunk', 'syslog'];

/** What `docker info` lists. */
export const LOG_DRIVERS = ['json-file', 'local'];

/** Throws InvalidParameter or NotImplemented for a driver or an option of it that there is not. */
export function validateLogConfig({ Type, Config }: { Type: string; Config: LogOptions }): void {
  if (ELSEWHERE.includes(Type)) {
    throw new NotImplemented(
      `the log driver ${Type} is not supported by Berth; use json-file, local or none`,
    );
  }
  const driver = driverOf(Type);
  if (!driver) {
    throw new InvalidParameter(
      `error looking up logging plugin ${Type}: plugin ${JSON.stringify(Type)} not found`,
    );
  }
  driver.validate(Config);
}

/** How a container's output is to be written. Throws SystemError in Docker's words. */
export function logPlan(record: ContainerRecord): LogPlan | undefined {
  try {
    return driverOf(record.hostConfig.LogConfig.Type)?.plan(record);
  } catch (error) {
    if (error instanceof NotImplemented) throw error;
    throw new SystemError(
      `failed to create task for container: failed to initialize logging driver: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** Where a container's log is. Throws NotImplemented when it has none. */
export function readableLog({ id, hostConfig: { LogConfig } }: ContainerRecord): string {
  const path = driverOf(LogConfig.Type)?.path(id);
  if (path === undefined) throw new NotImplemented('configured logging driver does not support reading');
  return path;
}

function driverOf(name: string): LogDriver | undefined {
  return Object.hasOwn(DRIVERS, name) ? DRIVERS[name] : undefined;
}
