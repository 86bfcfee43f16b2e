// The lesson in a real browser, against the server with a fake engine whose terminals are this machine's bash.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestServer, type TestServer } from '../server/testing/setup.ts';
import { CHROMIUM, openBrowser, type TestBrowser } from './testing/browser.ts';

const hasBrowser = existsSync(CHROMIUM);
let test: TestServer;
let browser: TestBrowser;
let page: Page;
const foreign: string[] = [];
const problems: string[] = [];

beforeAll(async () => {
  if (!hasBrowser) return;
  const outDir = path.join(import.meta.dirname, '../node_modules/.cache/berth-web-test');
  await build({
    configFile: path.join(import.meta.dirname, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir, emptyOutDir: true },
  });
  test = await startTestServer({ webDir: outDir });
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  await test?.close();
});

beforeEach(async () => {
  if (!hasBrowser) return;
  await page?.close();
  page = await browser.context.newPage();
  page.on('request', (request) => {
    const { hostname } = new URL(request.url());
    if (hostname !== 'localhost' && !hostname.endsWith('.localhost')) foreign.push(request.url());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) problems.push(message.text());
  });
});

const terminal = () => page.getByRole('tabpanel').locator('berth-terminal').last();
const screen = () =>
  page
    .locator('berth-terminals')
    .evaluate((panel) => ('text' in panel && typeof panel.text === 'function' ? String(panel.text()) : ''));

async function openLesson(): Promise<void> {
  await page.goto(`${test.server.url}labs/a-file`);
  await terminalIsThere();
}

/** Nothing stands in front of the terminal, and its shell has asked for a command. */
async function terminalIsThere(): Promise<void> {
  await expect.poll(screen, { timeout: 15_000 }).toContain('root@lab');
  await expect.poll(() => page.locator('berth-terminals .cover').count(), { timeout: 15_000 }).toBe(0);
}

async function type(text: string): Promise<void> {
  await terminal().locator('textarea').focus();
  await page.keyboard.type(text);
  await page.keyboard.press('Enter');
}

describe.skipIf(!hasBrowser)(`the page in a browser (${CHROMIUM})`, () => {
  it('leads from the list to the lesson', async () => {
    await page.goto(test.server.url);
    await page.getByRole('link', { name: 'A file of your own' }).click();
    await page.getByRole('heading', { level: 1, name: 'A file of your own' }).waitFor();
    expect(page.url()).toBe(`${test.server.url}labs/a-file`);
    await page.goBack();
    await page.getByRole('heading', { name: 'Learn containers on a machine of your own' }).waitFor();
  });

  it('runs what is typed into the terminal', async () => {
    await openLesson();
    await type('echo $((20+3))-typed');
    await expect.poll(screen).toContain('23-typed');
  });

  it('says what a step wants to see, and ticks it off after a click on Run', async () => {
    await openLesson();
    const step = page.locator('berth-step').first();
    await step.getByText('exit code 1').waitFor();
    await step.getByText('says where to').waitFor();
    await step.getByRole('button', { name: 'Run' }).first().click();
    await expect.poll(screen).toContain('echo hello > one.txt');
    await page.getByRole('button', { name: 'Step 1, done: Make a file' }).waitFor();
    await expect
      .poll(() => page.locator('[aria-live="polite"]').textContent())
      .toBe('Done: Make a file. Next: Read.');
    await page.getByRole('button', { name: 'Done, next step' }).click();
    await page.getByRole('button', { name: 'Step 2, done: Read' }).waitFor();
  });

  it('keeps the screen and the shell over a reload', async () => {
    await openLesson();
    await type('KEPT=yes; echo remember-me');
    await expect.poll(screen).toContain('\nremember-me');
    await page.reload();
    await expect.poll(screen, { timeout: 10_000 }).toContain('\nremember-me');
    await type('echo kept-$KEPT');
    await expect.poll(screen).toContain('kept-yes');
  });

  it('says that the engine is away, and comes back by itself', async () => {
    await openLesson();
    await test.engine.stop();
    await page.getByRole('heading', { name: 'The engine is away' }).waitFor();
    await test.engine.start();
    await page.getByRole('heading', { name: 'The engine is away' }).waitFor({ state: 'detached' });
    await terminalIsThere();
    await type('echo back-$((1+1))');
    await expect.poll(screen).toContain('back-2');
  });

  it('comes back by itself after a restart of the server', async () => {
    await openLesson();
    await test.restart();
    await terminalIsThere();
    await type('echo again-$((1+1))');
    await expect.poll(screen, { timeout: 10_000 }).toContain('again-2');
  });

  it('opens more terminals and closes them', async () => {
    await openLesson();
    await page.getByRole('button', { name: 'Open another terminal' }).click();
    await page.getByRole('tab', { name: 'Terminal 2', selected: true }).waitFor();
    await expect.poll(screen).toContain('root@lab');
    await page.getByRole('tab', { name: 'Terminal 2' }).press('Delete');
    await page.getByRole('tab', { name: 'Terminal 2' }).waitFor({ state: 'detached' });
    await page.getByRole('tab', { name: 'Terminal 1', selected: true }).waitFor();
  });

  it('says when the shell has ended, and offers a new one', async () => {
    await openLesson();
    await type('exit 4');
    await page.getByText('ended with exit code 4').waitFor();
    await page.getByRole('button', { name: 'Open a new one' }).click();
    await expect.poll(screen, { timeout: 10_000 }).toContain('root@lab');
  });

  it('gives the terminal the size of its pane, and moves the splitter by keys', async () => {
    await openLesson();
    const columns = async () => {
      await type('clear; stty size');
      await expect.poll(screen).toMatch(/\d+ \d+\n/);
      return Number(/\d+ (\d+)\n/.exec(await screen())?.[1]);
    };
    const before = await columns();
    const splitter = page.getByRole('separator', { name: 'Width of the lesson’s text' });
    await splitter.press('Home');
    await expect.poll(columns, { timeout: 10_000 }).toBeGreaterThan(before + 10);
  });

  it('lets the keyboard out of the terminal', async () => {
    await openLesson();
    await page.getByRole('button', { name: 'Skip to the terminal' }).press('Enter');
    await expect.poll(() => terminal().evaluate((element) => element.matches(':focus-within'))).toBe(true);
    await page.keyboard.press('Control+Shift+Period');
    await expect
      .poll(() => page.getByRole('tab', { selected: true }).evaluate((tab) => tab.matches(':focus')))
      .toBe(true);
  });

  it('copies and pastes', async () => {
    await openLesson();
    await page.evaluate(() => navigator.clipboard.writeText('clear; echo pasted-$((2+2))'));
    await terminal().locator('textarea').focus();
    await page.keyboard.press('Control+Shift+V');
    await page.keyboard.press('Enter');
    await expect.poll(screen).toContain('pasted-4');
    await terminal()
      .locator('.xterm-screen')
      .click({ clickCount: 3, position: { x: 40, y: 8 } });
    await page.keyboard.press('Control+Shift+C');
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe('pasted-4');
  });

  it('starts over after a question', async () => {
    await openLesson();
    await type('rm -f one.txt two.txt');
    await page.getByRole('button', { name: 'Start over' }).click();
    const dialog = page.getByRole('dialog', { name: 'Start over?' });
    await dialog.getByRole('button', { name: 'Start over' }).click();
    await page.getByRole('button', { name: 'Step 1: Make a file' }).waitFor();
    await expect.poll(() => page.locator('.count').textContent(), { timeout: 10_000 }).toContain('0 of 3');
    await expect.poll(screen, { timeout: 10_000 }).toContain('root@lab');
  });

  it.each(['light', 'dark'] as const)('has no barrier that axe finds (%s)', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    const look = async () => {
      const { violations } = await new AxeBuilder({ page }).exclude('.xterm').analyze();
      return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
    };
    await page.goto(test.server.url);
    await page.getByRole('link', { name: 'A file of your own' }).waitFor();
    expect(await look()).toEqual([]);
    await openLesson();
    await page.locator('berth-step').first().getByText('exit code 1').waitFor();
    expect(await look()).toEqual([]);
    await page.getByRole('button', { name: 'Start over' }).click();
    expect(await look()).toEqual([]);
  });

  it('works on a narrow screen', async () => {
    await page.setViewportSize({ width: 390, height: 780 });
    await openLesson();
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(390);
  });

  it('has asked nobody else for anything, and broken no rule of its own', () => {
    expect(foreign).toEqual([]);
    expect(problems).toEqual([]);
  });
});
