// The Docker Engine API, case by case: what is refused and how, what filters select, and the shapes of answers. The same
// requests go to Berth and, where BERTH_PEER names its socket, to a real dockerd.

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Answer, ask } from './support/api.ts';
import type { ApiCase } from './support/api-case.ts';
import { CONTAINERS_CASES } from './support/api-cases-containers.ts';
import { CREATE_CASES } from './support/api-cases-create.ts';
import { LIST_CASES } from './support/api-cases-list.ts';
import { SYSTEM_CASES } from './support/api-cases-system.ts';
import { SHAPES } from './support/api-shapes.ts';
import type { DockerCli } from './support/docker.ts';
import { engineMissing } from './support/engine.ts';
import { dockerTargets } from './support/targets.ts';

const Created = z.object({ Id: z.string() });
const Refusal = z.object({ message: z.string() });
/** an object, or a list by its indexes */
const Field = z.union([
  z.array(z.unknown()).transform((list) => Object.fromEntries(list.entries())),
  z.record(z.string(), z.unknown()),
]);
const Listed = z.array(z.looseObject({ Names: z.array(z.string()) }));

const CONTAINERS = {
  run: { Cmd: ['sleep', '600'], Labels: { x: '1' }, ExposedPorts: { '80/tcp': {} } },
  new: { Cmd: ['sh', '-c', 'exit 3'] },
  dead: { Cmd: ['sh', '-c', 'echo hi; exit 3'] },
  paused: { Cmd: ['sleep', '600'] },
};

describe.skipIf(engineMissing).each(dockerTargets('api'))(
  `the API of $title${engineMissing ? ` (${engineMissing})` : ''}`,
  (target) => {
    let docker: DockerCli;
    const label = `api${randomBytes(4).toString('hex')}`;
    /** what stands for a container or exec in a case: its name in a path, its id in a message */
    const names = new Map<string, string>([['label', label]]);
    const ids = new Map<string, string>();

    const request = (method: string, url: string, body?: unknown): Promise<Answer> =>
      ask(docker.socket, method, /^\/v\d/.test(url) ? url : `/v1.45${url}`, body);
    const fill = (text: string) =>
      text
        .replace(/<\{(\w+)\}>/g, (_, name: string) => ids.get(name) ?? name)
        .replace(/\{(\w+)\}/g, (all, name: string) => names.get(name) ?? ids.get(name) ?? all);

    beforeAll(async () => {
      docker = await target.open();
      for (const [name, body] of Object.entries(CONTAINERS)) {
        const Labels = { ...('Labels' in body ? body.Labels : {}), t: label };
        names.set(name, `${label}-${name}`);
        const made = await request('POST', `/containers/create?name=${label}-${name}`, {
          Image: 'busybox',
          ...body,
          Labels,
        });
        ids.set(name, Created.parse(made.body).Id);
        if (name !== 'new') await request('POST', `/containers/${label}-${name}/start`);
      }
      await request('POST', `/containers/${label}-paused/pause`);
      await request('POST', `/containers/${label}-dead/wait`);
      for (const name of ['exec', 'done']) {
        const made = await request('POST', `/containers/${label}-run/exec`, { Cmd: ['true'] });
        ids.set(name, Created.parse(made.body).Id);
      }
      await request('POST', `/exec/${ids.get('done')}/start`, { Detach: true });
      await sleep(300);
    });
    afterAll(async () => {
      for (const name of Object.keys(CONTAINERS)) {
        await request('DELETE', `/containers/${label}-${name}?force=1&v=1`);
      }
      await target.close();
    });

    async function refuses([method, path, status, message, body]: ApiCase): Promise<void> {
      const filled =
        body === undefined ? undefined : typeof body === 'string' ? body : fill(JSON.stringify(body));
      const answer = await request(method, encodeURI(fill(path)), filled);
      const [berth, dockerd] = typeof status === 'number' ? [status, status] : status;
      const said = Refusal.safeParse(answer.body).data?.message ?? '';
      expect({ status: answer.status, message: said }).toEqual({
        status: target.isBerth ? berth : dockerd,
        message: fill(message),
      });
    }

    for (const each of [...CONTAINERS_CASES, ...CREATE_CASES, ...SYSTEM_CASES]) {
      const [method, path, , message, body] = each;
      const sent = body === undefined ? '' : ` with ${JSON.stringify(body)}`;
      it(`refuses ${method} ${path}${sent}: ${message}`, () => refuses(each));
    }

    it.each(LIST_CASES)('GET /containers/json?%s lists %j', async (query, expected) => {
      const answer = await request('GET', `/containers/json?${encodeURI(fill(query))}`);
      const found = Listed.parse(answer.body).flatMap((container) => container.Names);
      expect(found.sort()).toEqual(expected.map((name) => `/${label}-${name}`).sort());
    });

    it.each(SHAPES)('GET %s has in {%s} the fields %s', async (path, object, fields) => {
      const answer = await request('GET', encodeURI(fill(path)));
      let value: unknown = answer.body;
      for (const name of object.split('.').filter(Boolean)) value = Field.parse(value)[name];
      expect(Object.keys(Field.parse(value))).toEqual(expect.arrayContaining(fields.split(' ')));
    });

    it('wait answers by its condition: not running, the next exit, removal', async () => {
      const name = `${label}-wait`;
      const Code = z.object({ StatusCode: z.number() });
      const wait = async (condition: string) =>
        Code.parse((await request('POST', `/containers/${name}/wait?condition=${condition}`)).body)
          .StatusCode;
      await docker.ok('create', '--name', name, 'busybox', 'sh', '-c', 'sleep 0.3; exit 7');
      expect(await wait('not-running')).toBe(0);
      const next = wait('next-exit');
      const removed = wait('removed');
      let isRemoved = false;
      void removed.then(() => {
        isRemoved = true;
      });
      await docker.ok('start', name);
      expect(await wait('')).toBe(7);
      expect(await next).toBe(7);
      expect(await wait('not-running')).toBe(7);
      expect(isRemoved).toBe(false);
      await docker.ok('rm', name);
      expect(await removed).toBe(7);
    });

    it('kill with any signal but another stop signal lets a paused container go on, and keeps it from restarting', async () => {
      const name = `${label}-signal`;
      await docker.ok('run', '-d', '--name', name, '--restart', 'always', 'busybox', 'sleep', '600');
      await docker.ok('pause', name);
      await docker.ok('kill', '-s', 'CONT', name);
      const state = () => docker.ok('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', name);
      await expect.poll(state).toBe('running 0');
      await docker.ok('exec', name, 'kill', '-9', '1').catch(() => undefined);
      await docker.ok('kill', '-s', 'KILL', name).catch(() => undefined);
      await expect.poll(state).toBe('exited 0');
      await docker.ok('rm', '-f', name);
    });
  },
);
