import { describe, expect, it } from 'vitest';
import { evaluateYaml } from '../support/evaluate.ts';
import { FakeHost, processInfo } from '../support/fake-host.ts';

describe('check process', () => {
  const host = new FakeHost();
  host.addContainer('box');
  host.addContainer('ended', { State: { Status: 'exited' } });
  const box = Buffer.from('box').toString('hex').padEnd(64, '0');
  host.processList = [
    processInfo({ pid: 1, args: ['/sbin/berth-init'] }),
    processInfo({
      pid: 40,
      args: ['sleep', '1d'],
      container: box,
      namespaces: { pid: 2, net: 2, mnt: 2, uts: 2 },
    }),
    processInfo({ pid: 41, args: ['sleep', '2d'], uid: 33, namespaces: { pid: 3, net: 2, mnt: 3, uts: 3 } }),
    processInfo({ pid: 42, args: ['sleep', '9d'], state: 'Z' }),
  ];
  const evaluate = (yaml: string) => evaluateYaml(`process: ${yaml}`, host);

  it.each([
    '{ command: sleep 1d }',
    '{ command: sleep, count: 2 }',
    '{ command: sleep, container: box }',
    '{ command: sleep 2d, labHost: true, user: 33 }',
    '{ command: { matches: "^sleep 1d$" }, differs: [pid, net] }',
    '{ command: sleep 2d, shares: net, differs: [pid, mnt], of: { container: box } }',
    '{ command: sleep 9d, absent: true }',
    '{ container: ended, absent: true }',
    '{ command: sleep 1d, user: root }',
  ])('passes for %s', async (yaml) => {
    expect(await evaluate(yaml)).toEqual({ passed: true });
  });

  it.each([
    ['{ command: httpd }', 'no such process'],
    ['{ command: sleep, absent: true }', '2: 40 (sleep 1d); 41 (sleep 2d)'],
    [
      '{ command: sleep 1d, shares: net }',
      '40 (sleep 1d) and 1 (/sbin/berth-init) have net namespaces of their own',
    ],
    [
      '{ command: sleep 2d, differs: [pid, net], of: { container: box } }',
      '41 (sleep 2d) and 40 (sleep 1d) share the net namespace',
    ],
    ['{ command: sleep 2d, user: 0 }', '41 (sleep 2d) runs as uid 33'],
    ['{ container: ended }', 'container ended is exited'],
    ['{ container: nosuch }', 'no container nosuch'],
  ])('fails for %s', async (yaml, found) => {
    expect(await evaluate(yaml)).toMatchObject({ passed: false, found });
  });
});
