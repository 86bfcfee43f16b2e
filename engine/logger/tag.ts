// The log option tag: Go's template syntax, as far as Docker documents it for tags.

import type { ContainerRecord } from '../container/record.ts';
import { InvalidParameter, NotImplemented } from '../errors.ts';

const FIELDS: Readonly<Record<string, (record: ContainerRecord) => string>> = {
  ID: ({ id }) => id.slice(0, 12),
  FullID: ({ id }) => id,
  Name: ({ name }) => name,
  ImageID: ({ image }) => image.slice(0, 12),
  ImageFullID: ({ image }) => image,
  ImageName: ({ config }) => config.Image,
  Command: ({ path, args }) => [path, ...args].join(' '),
  DaemonName: () => 'docker',
  ContainerID: ({ id }) => id,
  ContainerName: ({ name }) => `/${name}`,
  ContainerEntrypoint: ({ path }) => path,
  ContainerImageID: ({ image }) => image,
  ContainerImageName: ({ config }) => config.Image,
};

/** The tag of a container's log lines. Throws InvalidParameter for a template that is wrong. */
export function renderTag(template: string, record: ContainerRecord): string {
  const rendered = template.replace(/\{\{(.*?)\}\}/gs, (_, action: string) => value(action.trim(), record));
  const open = template.replace(/\{\{.*?\}\}/gs, '').includes('{{');
  if (open) throw new InvalidParameter('template: log-tag:1: unclosed action');
  return rendered;
}

function value(action: string, record: ContainerRecord): string {
  const name = /^\.(\w+)$/.exec(action)?.[1];
  if (name === undefined) {
    throw new NotImplemented(`{{${action.slice(0, 80)}}} is not supported by Berth in a log tag`);
  }
  const field = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
  if (!field) {
    throw new InvalidParameter(
      `template: log-tag:1:2: executing "log-tag" at <.${name}>: can't evaluate field ${name} in type *logger.Info`,
    );
  }
  return field(record);
}
