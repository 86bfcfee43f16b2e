import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseLab } from '../format/parse.ts';
import { labHosts, oneHost } from '../hosts.ts';
import type { Lab } from '../lab.ts';
import { FakeHost } from '../support/fake-host.ts';
import { LabRun } from './lab-run.ts';
import { LabProgress } from './state.ts';

function labOf(body: string, front = ''): Lab {
  const { lab, problems } = parseLab(
    `---\nformat: 1\ntitle: T\nsummary: S\nminutes: 5\n${front}---\n${body}`,
    'lab.md',
  );
  if (!lab) throw new Error(JSON.stringify(problems));
  return lab;
}

const LAB = labOf(`
## One
\`\`\`yaml check
- container: { name: one }
- container: { name: also }
  hint: the other one
\`\`\`
## Two
\`\`\`file path=/root/two.txt
two
\`\`\`
\`\`\`yaml check
- container: { name: two }
\`\`\`
## Read
Nothing to do.
## Last
\`\`\`yaml check
- container: { name: one, absent: true }
\`\`\`
`);

describe('a run of a lab with two hosts', () => {
  it('looks at each check’s own host, hears of both, and waits for both to run', async () => {
    const lab = labOf(
      '## One\n```yaml check\n- container: { name: web }\n- container: { name: web }\n  on: node2\n```\n',
      'hosts: [node1, node2]\n',
    );
    const [one, two] = [new FakeHost(), new FakeHost()];
    const hosts = new Map([
      ['node1', one],
      ['node2', two],
    ]);
    const run = new LabRun({ lab, hosts: labHosts(hosts) });
    const statuses = () => run.state().steps[0]?.checks.map(({ status }) => status);
    try {
      run.start();
      one.addContainer('web');
      await vi.waitFor(() => expect(statuses()).toEqual(['passed', 'failed']));
      two.happen({ kind: 'sandbox', state: 'frozen' });
      two.addContainer('web');
      two.dockerEvent('container', 'create');
      await sleep(400);
      expect(statuses()).toEqual(['passed', 'failed']);
      two.happen({ kind: 'sandbox', state: 'running' });
      await vi.waitFor(() => expect(run.state().done).toBe(true), { timeout: 5000 });
    } finally {
      await run.dispose();
    }
  });
});

describe('a run of a lab', () => {
  let host: FakeHost;
  let run: LabRun;

  const currentStep = () => run.state().current;
  const statuses = (id: string) =>
    run
      .state()
      .steps.find((step) => step.id === id)
      ?.checks.map(({ status }) => status);

  beforeEach(() => {
    host = new FakeHost();
    run = new LabRun({ lab: LAB, hosts: oneHost(host) });
  });
  afterEach(() => run.dispose());

  it('shows the first step as the current one, with its checks', async () => {
    expect(statuses('one')).toEqual(['waiting', 'waiting']);
    run.start();
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'failed']));
    expect(run.state().steps[0]?.checks[1]).toEqual({
      title: 'container also exists',
      kind: 'container',
      status: 'failed',
      expected: 'a container named also',
      found: 'no containers at all',
      look: 'docker ps -a',
      hint: 'the other one',
    });
    expect(run.state().steps.map(({ status }) => status)).toEqual(['current', 'ahead', 'ahead', 'ahead']);
  });

  it('ticks a step off when all its checks pass, and goes on', async () => {
    run.start();
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'failed']));
    host.addContainer('one');
    host.dockerEvent('container', 'create');
    await vi.waitFor(() => expect(statuses('one')).toEqual(['passed', 'failed']));
    expect(currentStep()).toBe('one');
    host.addContainer('also');
    host.dockerEvent('container', 'create');
    await vi.waitFor(() => expect(currentStep()).toBe('two'));
    await vi.waitFor(() => expect(statuses('two')).toEqual(['failed']));
  });

  it('ticks nothing off because of a check that passed only a while ago', async () => {
    run.start();
    host.addContainer('one');
    host.dockerEvent('container', 'create');
    await vi.waitFor(() => expect(statuses('one')).toEqual(['passed', 'failed']));
    host.removeContainer('one');
    host.addContainer('also');
    host.dockerEvent('container', 'create');
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'passed']));
    expect(currentStep()).toBe('one');
  });

  it('keeps a step ticked when its checks fail later', async () => {
    host.addContainer('one');
    host.addContainer('also');
    run.start();
    await vi.waitFor(() => expect(currentStep()).toBe('two'));
    host.removeContainer('one');
    host.dockerEvent('container', 'destroy');
    await sleep(400);
    expect(currentStep()).toBe('two');
    expect(statuses('one')).toEqual(['passed', 'passed']);
  });

  it('passes several steps in a row, up to one that must be read', async () => {
    for (const name of ['one', 'also', 'two']) host.addContainer(name);
    run.start();
    await vi.waitFor(() => expect(currentStep()).toBe('read'));
    run.acknowledge('last');
    expect(currentStep()).toBe('read');
    run.acknowledge('read');
    expect(currentStep()).toBe('last');
    await vi.waitFor(() => expect(statuses('last')).toEqual(['failed']));
    host.removeContainer('one');
    host.dockerEvent('container', 'destroy');
    await vi.waitFor(() => expect(run.state().done).toBe(true));
    expect(run.state().current).toBeNull();
  });

  it('lays the files of a step when it begins, once, and again after a reset', async () => {
    run.start();
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'failed']));
    expect(host.files.size).toBe(0);
    host.addContainer('one');
    host.addContainer('also');
    host.dockerEvent('container', 'create');
    await vi.waitFor(() => expect(host.files.get('/root/two.txt')).toBe('two\n'));
    host.files.set('/root/two.txt', 'changed by the student');
    host.dockerEvent('container', 'create');
    await sleep(400);
    expect(host.files.get('/root/two.txt')).toBe('changed by the student');
    host.happen({ kind: 'sandbox', state: 'reset' });
    await vi.waitFor(() => expect(host.files.get('/root/two.txt')).toBe('two\n'));
  });

  it('is carried on by another run with its progress', async () => {
    host.addContainer('one');
    host.addContainer('also');
    const changes: boolean[] = [];
    run.onChange(({ progress }) => changes.push(progress));
    run.start();
    await vi.waitFor(() => expect(currentStep()).toBe('two'));
    expect(changes).toContain(true);
    const stored = LabProgress.parse(JSON.parse(JSON.stringify(run.progress())));
    const next = new LabRun({ lab: LAB, hosts: oneHost(host), progress: stored });
    expect(next.state().current).toBe('two');
    expect(next.state().steps[0]?.doneAt).toBe(run.state().steps[0]?.doneAt);
    await next.dispose();
  });

  it('forgets all progress when it is restarted', async () => {
    for (const name of ['one', 'also', 'two']) host.addContainer(name);
    run.start();
    await vi.waitFor(() => expect(currentStep()).toBe('read'));
    host.removeContainer('one');
    run.restart();
    expect(currentStep()).toBe('one');
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'passed']));
  });

  it('makes one evaluation of a burst of events, and none when nothing happens', async () => {
    run.start();
    run.setWatched(true);
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'failed']));
    const before = host.dockerCalls;
    for (let index = 0; index < 50; index++) host.dockerEvent('container', 'start');
    await sleep(700);
    expect(host.dockerCalls - before).toBeLessThanOrEqual(6);
    const after = host.dockerCalls;
    host.dockerEvent('image', 'pull');
    host.dockerEvent('container', 'exec_start: sh');
    host.happen({ kind: 'terminal', terminal: 't' });
    await sleep(500);
    expect(host.dockerCalls).toBe(after);
  });

  it('says that a check could not be evaluated, and looks again when the engine is back', async () => {
    host.isReachable = false;
    run.start();
    await vi.waitFor(() => expect(statuses('one')).toEqual(['unknown', 'unknown']));
    expect(run.state().steps[0]?.checks[0]?.found).toBe('could not be checked: the engine cannot be reached');
    host.isReachable = true;
    run.refresh();
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'failed']));
  });

  it('evaluates any step when asked, and ticks nothing off by that', async () => {
    host.addContainer('two');
    expect(await run.evaluateStep('two')).toEqual([
      { title: 'container two exists', kind: 'container', status: 'passed' },
    ]);
    expect(currentStep()).toBe('one');
  });

  it('leaves a frozen lab host alone', async () => {
    run.start();
    await vi.waitFor(() => expect(statuses('one')).toEqual(['failed', 'failed']));
    host.happen({ kind: 'sandbox', state: 'frozen' });
    await sleep(300);
    const before = host.dockerCalls;
    host.dockerEvent('container', 'create');
    await sleep(400);
    expect(host.dockerCalls).toBe(before);
    host.happen({ kind: 'sandbox', state: 'running' });
    await vi.waitFor(() => expect(host.dockerCalls).toBeGreaterThan(before));
  });
});
