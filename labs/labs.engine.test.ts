// Every lab in content, done on real sandboxes; and a run that ticks itself off while commands are typed into a terminal.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { engineMissing, TestEngine } from '../test/support/engine.ts';
import { labHostOf } from './host.ts';
import { loadLabs } from './load.ts';
import { type OpenHost, proveSolutions, proveWrongAnswers } from './prove.ts';
import { LabRun } from './run/lab-run.ts';

const { labs } = await loadLabs(fileURLToPath(new URL('../content/labs', import.meta.url)));

describe.skipIf(engineMissing)(
  `labs on the real engine${engineMissing ? ` (skipped: ${engineMissing})` : ''}`,
  () => {
    let engine: TestEngine;
    let count = 0;

    const openHost: OpenHost = async () => {
      count += 1;
      const name = `lab-${count}`;
      await engine.control.createSandbox({ name });
      return { host: labHostOf(engine.control, name), close: () => engine.control.deleteSandbox(name) };
    };

    beforeAll(async () => {
      engine = await TestEngine.start();
    });
    afterAll(() => engine?.dispose());

    describe.each(labs)('$slug', ({ lab }) => {
      it('fails before and passes after each solution', { timeout: 120_000 }, async () => {
        expect(await proveSolutions(lab, openHost, AbortSignal.timeout(110_000))).toEqual([]);
      });

      it('tells what is wrong with each known-wrong answer', { timeout: 240_000 }, async () => {
        expect(await proveWrongAnswers(lab, openHost, AbortSignal.timeout(230_000))).toEqual([]);
      });
    });

    it('ticks steps off while commands are typed into a terminal', { timeout: 60_000 }, async () => {
      const lab = labs.find(({ slug }) => slug === 'your-first-container')?.lab;
      if (!lab) throw new Error('the lab is gone');
      await engine.control.createSandbox({ name: 'typed' });
      await engine.control.createTerminal('typed', { id: 't', rows: 24, cols: 80 });
      const terminal = await engine.control.openTerminal('typed', 't');
      terminal.resume();
      const run = new LabRun({ lab, host: labHostOf(engine.control, 'typed') });
      const done = () => run.state().steps.filter(({ status }) => status === 'done').length;
      try {
        run.start();
        for (const [index, step] of lab.steps.slice(0, 3).entries()) {
          expect(done()).toBe(index);
          terminal.write(`${step.commands.at(index === 0 ? 0 : -1) ?? ''}\n`);
          if (index > 0) terminal.write(`${step.solution.join('')}\n`);
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
