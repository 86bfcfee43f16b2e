// Names, signals, statuses and failures: what users type and read.

import { describe, expect, it } from 'vitest';
import { StartFailed } from '../sandbox/init-types.ts';
import { humanDuration } from './describe.ts';
import { createFailed, execFailedText, explainStartFailure } from './failure.ts';
import { newId, randomName, validName } from './id.ts';
import { parseSecurityOptions } from './security.ts';
import { parseSignal } from './signals.ts';

describe('names and ids', () => {
  it('makes ids whose short form is not a number', () => {
    expect(newId()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('checks names as Docker does', () => {
    expect(validName('/web-1.x_y')).toBe('web-1.x_y');
    for (const name of ['a', '-a', 'a/b', 'a b', ''])
      expect(() => validName(name)).toThrow('Invalid container name');
  });

  it('finds a free name when many are taken', () => {
    let asked = 0;
    expect(randomName(() => asked++ < 20)).toMatch(/^[a-z]+_[a-z]+\d+$/);
  });
});

describe('signals', () => {
  it.each([
    ['9', 9],
    ['KILL', 9],
    ['sigterm', 15],
    ['SIGRTMIN+3', 37],
    ['RTMAX', 64],
  ])('reads %s', (text, number) => expect(parseSignal(text)).toBe(number));

  it.each(['0', '65', 'FOO', 'SIGRTMIN+99', '-1', ''])('refuses "%s"', (text) =>
    expect(() => parseSignal(text)).toThrow('invalid signal'),
  );
});

describe('durations in docker ps', () => {
  const seconds = (count: number) => humanDuration(BigInt(count) * 1_000_000_000n);
  it.each([
    [0, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [119, 'About a minute'],
    [3599, '59 minutes'],
    [3600, 'About an hour'],
    [5400, '2 hours'],
    [47 * 3600, '47 hours'],
    [48 * 3600, '2 days'],
    [14 * 86400, '2 weeks'],
    [60 * 86400, '2 months'],
    [730 * 86400, '2 years'],
  ])('says %i s as "%s"', (count, text) => expect(seconds(count)).toBe(text));
});

describe('a start that crun refuses', () => {
  const failure = (text: string) => explainStartFailure(new StartFailed(3, 5, 1, text));

  it.each([
    [
      'executable file `x` not found in $PATH: No such file or directory',
      127,
      'exec: "x": executable file not found in $PATH: unknown',
    ],
    [
      'executable file `/n/x` not found: No such file or directory',
      127,
      'stat /n/x: no such file or directory',
    ],
    [
      'the path `/etc` is not a regular file: Operation not permitted',
      126,
      'exec: "/etc": is a directory: unknown: permission denied',
    ],
    ['the path `/x` exists but it is not executable: Operation not permitted', 126, 'permission denied'],
    ['something else entirely', 128, 'something else entirely'],
  ])('reads "%s"', (text, exitCode, words) => {
    expect(failure(text).exitCode).toBe(exitCode);
    expect(failure(text).text).toContain(words);
  });

  it('does not take the program’s name for a replacement pattern', () => {
    expect(failure('executable file `$&` not found in $PATH').text).toContain('exec: "$&":');
  });

  it('answers 400 for the request’s fault and 500 for ours', () => {
    expect(createFailed(failure('executable file `x` not found in $PATH')).status).toBe(400);
    expect(createFailed(failure('cannot set up cgroup')).status).toBe(500);
    expect(createFailed(failure('chdir to `/f`: Not a directory')).message).toBe(
      'Cannot mkdir: /f is not a directory',
    );
    expect(execFailedText(failure('executable file `x` not found in $PATH'))).toBe(
      'OCI runtime exec failed: exec failed: unable to start container process: exec: "x": executable file not found in $PATH: unknown',
    );
  });
});

describe('docker run --security-opt', () => {
  it('reads what can be honored and refuses the rest', () => {
    expect(parseSecurityOptions(['no-new-privileges', 'seccomp=unconfined', 'label=disable'])).toEqual({
      noNewPrivileges: true,
      unconfinedSystemPaths: false,
      seccomp: 'unconfined',
    });
    expect(parseSecurityOptions(['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']).seccomp).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW',
    });
    expect(() => parseSecurityOptions(['apparmor=mine'])).toThrow('not supported');
    expect(() => parseSecurityOptions(['nosuch'])).toThrow('invalid --security-opt');
    expect(() => parseSecurityOptions(['seccomp={'])).toThrow('Decoding seccomp profile failed');
  });
});
