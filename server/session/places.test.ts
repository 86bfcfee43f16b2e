import { describe, expect, it } from 'vitest';
import { parseLab } from '../../labs/format/parse.ts';
import type { KeeperState } from './keeper.ts';
import { placesOf } from './places.ts';
import { togetherOf } from './together.ts';

function labWith(front: string) {
  const text = `---\nformat: 1\ntitle: T\nsummary: S\nminutes: 5\n${front}---\n## A\ntext\n`;
  const { lab } = parseLab(text, 'lab.md');
  if (!lab) throw new Error('the lab has problems');
  return lab;
}

describe('the lab hosts of a session', () => {
  it('are one without cables where the lab asks for nothing', () => {
    expect(placesOf('x', labWith(''))).toEqual([
      { host: 'lab', request: { name: 'local-x', hostname: 'lab' } },
    ]);
  });

  it('are several with a link of their own, and reach the internet, where the lab asks for it', () => {
    const link = { group: 'local-x', hosts: ['node1', 'node2'] };
    expect(placesOf('x', labWith('hosts: [node1, node2]\ninternet: true\n'))).toEqual([
      { host: 'node1', request: { name: 'local-x', hostname: 'node1', link, internet: true } },
      { host: 'node2', request: { name: 'local-x.node2', hostname: 'node2', link, internet: true } },
    ]);
  });

  it('do as well as the one that is worst off', () => {
    const ready: KeeperState = { phase: 'ready', detail: '' };
    const starting: KeeperState = { phase: 'starting', detail: 'Making your lab host' };
    expect(togetherOf(new Map([['lab', starting]]))).toEqual(starting);
    expect(
      togetherOf(
        new Map([
          ['node1', ready],
          ['node2', starting],
        ]),
      ),
    ).toEqual({ phase: 'starting', detail: 'node2: Making your lab host' });
    expect(togetherOf(new Map([['node1', ready]]))).toEqual(ready);
  });
});
