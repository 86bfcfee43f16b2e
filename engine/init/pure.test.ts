// Runs the C unit tests and a bounded fuzz run of berth-init's pure parts, under the sanitizers.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { SOURCES } from './test/harness.ts';

describe("berth-init's pure parts", () => {
  it('hold what their unit tests say, and survive ten seconds of fuzzing', { timeout: 90_000 }, () => {
    const out = mkdtempSync(path.join(os.tmpdir(), 'berth-init-pure-'));
    const said = execFileSync('sh', [path.join(SOURCES, 'test/run.sh'), out, '10']).toString();
    expect(said).toMatch(/^\d+ checks, 0 failures\n/);
    expect(said).toMatch(/\d{4,}/); // thousands of runs
    rmSync(out, { recursive: true });
  });
});
