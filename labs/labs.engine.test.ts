// Every lab in content, done on real sandboxes; and a run that ticks itself off while commands are typed into a terminal.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { engineMissing, TestEngine } from '../test/support/engine.ts';
import { labHostOf } from './host.ts';
import { labHosts, oneHost } from './hosts.ts';
import { loadLabs } from './load.ts';
import { type OpenHosts, proveSolutions, proveWrongAnswers } from './prove.ts';
import { LabRun } from './run/lab-run.ts';

const { labs } = await loadLabs(fileURLToPath(new URL('../content/labs', import.meta.url)));

describe.skipIf(engineMissing)(
  `labs on the real engine${engineMissing ? ` (skipped: ${engineMissing})` : ''}`,
  () => {
    let engine: TestEngine;
    let count = 0;

    const openHosts: OpenHosts = async ({ hosts }) => {
      count += 1;
      const group = `lab-${count}`;
      const names = new Map(hosts.map((host) => [host, `${group}-${host}`]));
      for (const [hostname, name] of names) {
        await engine.control.createSandbox({ name, hostname, link: { group, hosts: [...hosts] } });
      }
      return {
        hosts: labHosts(new Map([...names].map(([host, name]) => [host, labHostOf(engine.control, name)]))),
        async close() {
          for (const name of names.values()) await engine.control.deleteSandbox(name);
        },
      };
    };

    beforeAll(async () => {
      engine = await TestEngine.start();
    });
    afterAll(() => engine?.dispose());

    describe.each(labs)('$slug', ({ lab }) => {
      it('fails before and passes after each solution', { timeout: 120_000 }, async () => {
        expect(await proveSolutions(lab, openHosts, AbortSignal.timeout(110_000))).toEqual([]);
      });

      it('tells what is wrong with each known-wrong answer', { timeout: 240_000 }, async () => {
        expect(await proveWrongAnswers(lab, openHosts, AbortSignal.timeout(230_000))).toEqual([]);
      });
    });

    it('ticks steps off while commands are typed into a terminal', { timeout: 60_000 }, async () => {
      const lab = labs.find(({ slug }) => slug === 'your-first-container')?.lab;
      if (!lab) throw new Error('the lab is gone');
      await engine.control.createSandbox({ name: 'typed' });
      await engine.control.createTerminal('typed', { id: 't', rows: 24, cols: 80 });
      const terminal = await engine.control.openTerminal('typed', 't');
      terminal.resume();
      const run = new LabRun({ lab, hosts: oneHost(labHostOf(engine.control, 'typed')) });
      const done = () => run.state().steps.filter(({ status }) => status === 'done').length;
      try {
        run.start();
        for (const [index, step] of lab.steps.slice(0, 3).entries()) {
          expect(done()).toBe(index);
          terminal.write(`${step.commands.at(index === 0 ? 0 : -1) ?? ''}\n`);
          if (index > 0) terminal.write(`${step.solution.map(({ text }) => text).join('')}\n`);
          await vi.waitFor(() => expect(done()).toBe(index + 1), { timeout: 10_000 });
        }
      } finally {
        await run.dispose();
        terminal.destroy();
        await once(terminal, 'close');
      }
    });
  },
);
