import { describe, expect, it } from 'vitest';
import { evaluateYaml } from '../support/evaluate.ts';
import { FakeHost } from '../support/fake-host.ts';

describe('check script', () => {
  const evaluate = (yaml: string) => evaluateYaml(`{ script: ${yaml}, title: t }`, new FakeHost());

  it('passes by exit code and output', async () => {
    expect(await evaluate('{ run: "true" }')).toEqual({ passed: true });
    expect(
      await evaluate(
        '{ run: "echo one; echo two >&2; exit 3", exit: 3, stdout: one, stderr: { equals: two } }',
      ),
    ).toEqual({
      passed: true,
    });
  });

  it('says how the script ended', async () => {
    expect(await evaluate('{ run: "echo oh no >&2; exit 4" }')).toEqual({
      passed: false,
      expected: 'script: exit code 0',
      found: 'exit code 4: oh no',
      look: 'echo oh no >&2; exit 4',
    });
    expect(await evaluate('{ run: echo one, stdout: two }')).toMatchObject({ found: 'output "one"' });
  });

  it('gives up after its time', async () => {
    expect(await evaluate('{ run: sleep 10, timeout: 1 }')).toMatchObject({
      found: 'no end after 1 seconds',
    });
  });
});
