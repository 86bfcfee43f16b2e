// A student does the first lesson in a real browser, on the whole of Berth: every command by its Run button, to the served page.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../web/testing/browser.ts';
import { TestBerth } from './support/berth.ts';
import { engineMissing } from './support/engine.ts';
import { Screen } from './support/screen.ts';

const missing = engineMissing ?? (existsSync(CHROMIUM) ? undefined : `no ${CHROMIUM}`);

const LAB_HOST = 'local-your-first-container';

/** Where pictures of the page go, when wanted. */
const PICTURES = process.env.BERTH_TEST_PICTURES;

describe.skipIf(missing)(`a student in a browser${missing ? ` (${missing})` : ''}`, () => {
  let berth: TestBerth;
  let browser: TestBrowser;
  let page: Page;
  let screen: Screen;

  beforeAll(async () => {
    berth = await TestBerth.start();
    browser = await openBrowser({ width: 1440, height: 900 });
    page = await browser.context.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    await berth?.dispose();
  });

  async function picture(name: string): Promise<void> {
    if (PICTURES) await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
  }

  const steps = () => page.locator('berth-step');
  const isDone = async (step: Locator) => (await step.locator('section.done').count()) > 0;

  /** Waits until what was begun in the terminal has ended: its prompt is there and stays. A student looks just as well. */
  async function commandsEnd(begin: () => Promise<void>): Promise<void> {
    const before = screen.text.length;
    await begin();
    const deadline = Date.now() + 30_000;
    for (let calm = 0; calm < 5; ) {
      if (Date.now() > deadline)
        throw new Error(`no prompt in: ${JSON.stringify(screen.text.slice(before))}`);
      await sleep(100);
      calm = screen.text.length > before && /[#$] $/.test(screen.text) ? calm + 1 : 0;
    }
  }

  it('goes from the list to the lesson and gets a prompt', async () => {
    await page.goto(berth.url);
    await picture('list');
    await page
      .getByRole('link', { name: /Your first container/ })
      .first()
      .click();
    await page.waitForURL(/\/labs\/your-first-container/);
    await expect.poll(() => steps().count(), { timeout: 20_000 }).toBe(12);
    await expect
      .poll(async () => (await berth.control.terminals(LAB_HOST).catch(() => [])).length, { timeout: 20_000 })
      .toBe(1);
    const [terminal] = await berth.control.terminals(LAB_HOST);
    screen = new Screen(await berth.control.openTerminal(LAB_HOST, terminal?.id ?? '', { replay: true }));
    await screen.waitFor(/[#$] $/);
  });

  it('does every step by its Run buttons and sees each tick itself off', { timeout: 180_000 }, async () => {
    const count = await steps().count();
    for (let index = 0; index < count; index++) {
      const step = steps().nth(index);
      const buttons = step.locator('button[data-run]');
      const total = await buttons.count();
      for (let button = 0; button < total; button++) {
        if (!(await buttons.nth(button).isVisible())) continue;
        await commandsEnd(() => buttons.nth(button).click());
      }
      for (const link of await step.locator('a[data-preview-port]').all()) {
        if (!(await link.isVisible())) continue;
        const [preview] = await Promise.all([browser.context.waitForEvent('page'), link.click()]);
        // A page that is not served yet says so and looks again by itself.
        await preview.getByRole('heading', { name: 'It works' }).waitFor({ timeout: 15_000 });
        if (PICTURES) await preview.screenshot({ path: path.join(PICTURES, 'preview.png') });
        expect(new URL(preview.url()).origin, 'a preview has an origin of its own').not.toBe(berth.url);
        await preview.close();
      }
      await expect
        .poll(() => isDone(step), {
          timeout: 15_000,
          message: `step ${index + 1} ticks itself off`,
        })
        .toBe(true);
      if (index === 5) await picture('half-way');
    }
    await picture('done');
    const scrolls = await page.evaluate(() => document.documentElement.scrollHeight > window.innerHeight);
    expect(scrolls, 'the text scrolls, the page does not').toBe(false);
  });

  it('finds ticks and terminal as they were after a reload, and after kill -9 of server and engine', {
    timeout: 60_000,
  }, async () => {
    await page.reload();
    await expect.poll(() => page.locator('berth-step section.done').count(), { timeout: 15_000 }).toBe(12);
    const containers = await berth.control.docker(LAB_HOST, 'GET', '/containers/json');
    await berth.end('SIGKILL');
    await sleep(500);
    await berth.up();
    await page.reload();
    await expect.poll(() => page.locator('berth-step section.done').count(), { timeout: 20_000 }).toBe(12);
    expect((await berth.control.docker(LAB_HOST, 'GET', '/containers/json')).body).toMatchObject(
      (containers.body as { Id: string }[]).map(({ Id }) => ({ Id })),
    );
  });

  it('is refused from foreign origins and by foreign host names', async () => {
    const session = `${berth.url}/api/sessions/your-first-container/reset`;
    const foreign = await fetch(session, { method: 'POST', headers: { origin: 'http://evil.example' } });
    expect(foreign.status).toBe(403);
    const preview = await fetch(session, {
      method: 'POST',
      headers: { origin: berth.url.replace('//', '//8080--your-first-container.') },
    });
    expect(preview.status).toBe(403);
  });

  it('leaves nothing running after berth down', async () => {
    const result = await berth.berth('down');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect((await berth.berth('status')).stdout).toMatch(/not running/i);
  });
});
