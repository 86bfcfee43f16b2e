import { describe, expect, it } from 'vitest';
import type { RunView, SessionInfo } from '../server/protocol.ts';
import { routeOf } from './app/router.ts';
import { announcementOf, justDone } from './lesson/progress.ts';
import { coverOf } from './terminal/cover.ts';
import { linkTarget } from './terminal/links.ts';
import { isTerminalReply } from './terminal/replies.ts';
import { freshId, tabsOf } from './terminal/tabs.ts';
import { piecesOf, typeCommand } from './terminal/typing.ts';

describe('addresses of pages', () => {
  it.each([
    ['/', { page: 'labs' }],
    ['/labs/a-b', { page: 'lesson', slug: 'a-b' }],
    ['/labs/a-b/', { page: 'lesson', slug: 'a-b' }],
    ['/labs/../x', { page: 'unknown' }],
    ['/labs/', { page: 'unknown' }],
  ])('%s', (path, route) => expect(routeOf(path)).toEqual(route));
});

describe('what a terminal answers by itself', () => {
  it.each([
    '\u001b[?1;2c',
    '\u001b[>0;276;0c',
    '\u001b[12;40R',
    '\u001b[0n',
    '\u001b]11;rgb:10/16/1c\u0007',
    '\u001b[?2026;2$y',
  ])('%j is an answer', (data) => expect(isTerminalReply(data)).toBe(true));
  it.each(['a', '\r', '\u001b[A', '\u001bOP', '\u001b[200~x\u001b[201~', '\u001b[1;5C', '\u0003'])(
    '%j is typed',
    (data) => expect(isTerminalReply(data)).toBe(false),
  );
});

describe('links in a terminal', () => {
  const template = 'http://{port}--lab.localhost:3000/';

  it('lead into the lab host when they say localhost', () => {
    expect(linkTarget('http://localhost:8080/a?b#c', template)).toBe('http://8080--lab.localhost:3000/a?b#c');
    expect(linkTarget('http://127.0.0.1/', template)).toBe('http://80--lab.localhost:3000/');
  });

  it('lead to the web, and nowhere else', () => {
    expect(linkTarget('https://docs.docker.com/x', template)).toBe('https://docs.docker.com/x');
    expect(linkTarget('javascript:alert(1)', template)).toBeUndefined();
    expect(linkTarget('file:///etc/passwd', template)).toBeUndefined();
  });
});

describe('typing a command', () => {
  const collect = async (command: string) => {
    const sent: string[] = [];
    const waits: number[] = [];
    const keyboard = {
      send: (text: string) => void sent.push(text),
      quiet: async () => void waits.push(sent.length),
    };
    await typeCommand(keyboard, command, new AbortController().signal);
    return { text: sent.join(''), waits: waits.length };
  };

  it('presses Enter after every line, and waits before the next', async () => {
    expect(await collect('echo a\ndocker ps')).toEqual({ text: '\u0015echo a\rdocker ps\r', waits: 1 });
  });

  it('does not tear letters apart, and takes long lines in larger pieces', () => {
    expect(piecesOf('aé😀')).toEqual(['a', 'é', '😀']);
    expect(piecesOf('x'.repeat(500)).length).toBeLessThan(40);
    expect(piecesOf('').length).toBe(0);
  });
});

describe('tabs of terminals', () => {
  it('stand in order, the ended ones among them', () => {
    expect(tabsOf(['t10', 't2'], new Map([['t3', 1]]), ['lab'])).toEqual([
      { id: 't2', host: 'lab', label: 'Terminal 2' },
      { id: 't3', host: 'lab', label: 'Terminal 3', exitCode: 1 },
      { id: 't10', host: 'lab', label: 'Terminal 10' },
    ]);
  });

  it('stand by lab host where there are several, and say which', () => {
    const hosts = ['node1', 'node2'];
    expect(tabsOf(['node2-t1', 't2', 't1'], new Map(), hosts).map(({ label }) => label)).toEqual([
      'node1 1',
      'node1 2',
      'node2 1',
    ]);
    expect(freshId(['t1', 'node2-t1'], 'node2', hosts)).toBe('node2-t2');
    expect(freshId(['node2-t1'], 'node1', hosts)).toBe('t1');
  });

  it('get the first free number', () => {
    expect(freshId([], 'lab', ['lab'])).toBe('t1');
    expect(freshId(['t1', 't3'], 'lab', ['lab'])).toBe('t2');
  });
});

describe('what stands in front of the terminals', () => {
  const session = (phase: SessionInfo['phase']): SessionInfo => ({
    id: 'a',
    lab: 'a',
    phase,
    detail: 'Because.',
  });
  const ready = {
    session: session('ready'),
    isConnected: true,
    isAttached: true,
    hasTerminals: true,
    problem: '',
  };

  it('is nothing when all is well', () => expect(coverOf(ready)).toBeUndefined());

  it('says that the server is away before anything else', () => {
    expect(coverOf({ ...ready, isConnected: false })?.title).toBe('Reconnecting');
  });

  it.each(['starting', 'frozen', 'resetting', 'away', 'failed'] as const)('explains %s', (phase) => {
    expect(coverOf({ ...ready, session: session(phase) })?.text).toBe('Because.');
  });
});

describe('steps that were ticked off', () => {
  const run = (...done: string[]): RunView => ({
    steps: ['a', 'b'].map((id) => ({
      id,
      title: `Step ${id}`,
      status: done.includes(id) ? 'done' : 'ahead',
      readOnly: false,
      checks: [],
    })),
    current: ['a', 'b'].find((id) => !done.includes(id)) ?? null,
    done: done.length === 2,
  });

  it('are told, but not those of before the page was opened', () => {
    expect(justDone(run('a'), undefined)).toEqual([]);
    expect(justDone(run('a'), run()).map(({ id }) => id)).toEqual(['a']);
    expect(announcementOf(run('a'), justDone(run('a'), run()))).toBe('Done: Step a. Next: Step b.');
    expect(announcementOf(run('a', 'b'), justDone(run('a', 'b'), run('a')))).toBe(
      'Done: Step b. All steps are done.',
    );
  });
});
