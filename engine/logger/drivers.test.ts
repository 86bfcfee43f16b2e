import { describe, expect, it } from 'vitest';
import { ContainerConfig, HostConfig } from '../container/config.ts';
import { type ContainerRecord, NEW_STATE } from '../container/record.ts';
import { logPlan, validateLogConfig } from './drivers.ts';

const ID = 'c0ffee'.repeat(11).slice(0, 64);

function record(Type: string, Config: Record<string, string>, config: object = {}): ContainerRecord {
  return {
    id: ID,
    name: 'web',
    created: '2026-01-01T00:00:00Z',
    image: `sha256:${'1'.repeat(64)}`,
    layers: [],
    mounts: [],
    removesVolumes: false,
    path: 'sh',
    args: ['-c', 'true'],
    config: ContainerConfig.parse({ Image: 'nginx:1', ...config }),
    hostConfig: HostConfig.parse({ LogConfig: { Type, Config } }),
    state: NEW_STATE,
    intent: 'none',
    stoppedByUser: false,
    restartCount: 0,
    networkSandbox: '',
    networks: [],
  };
}
const FAILED = 'failed to create task for container: failed to initialize logging driver: ';

describe('log drivers', () => {
  it.each([
    ['foo', {}, 400, 'error looking up logging plugin foo: plugin "foo" not found'],
    ['constructor', {}, 400, 'error looking up logging plugin constructor'],
    ['syslog', {}, 501, 'the log driver syslog is not supported by Berth'],
    ['json-file', { foo: '1' }, 400, "unknown log opt 'foo' for json-file log driver"],
    ['json-file', { mode: 'x' }, 400, 'logger: logging mode not supported: x'],
    ['json-file', { 'max-buffer-size': '4m' }, 400, "only supported with 'mode=non-blocking'"],
    [
      'json-file',
      { mode: 'non-blocking', 'max-buffer-size': 'zz' },
      400,
      "error parsing option max-buffer-size: invalid size: 'zz'",
    ],
    ['local', { labels: 'a' }, 400, "unknown log opt 'labels' for log driver local"],
  ])('%s refuses %j', (Type, Config, status, message) => {
    expect(() => validateLogConfig({ Type, Config })).toThrow(
      expect.objectContaining({ status, message: expect.stringContaining(message) }),
    );
  });

  it.each([
    ['json-file', { 'max-size': 'abc' }, "invalid size: 'abc'"],
    ['json-file', { 'max-size': '-1' }, "invalid size: '-1'"],
    ['json-file', { 'max-size': '0' }, 'max-size must be a positive number'],
    ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
    ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
    ['json-file', { 'max-file': '1000000' }, 'max-file can be 1000 at most'],
    ['json-file', { compress: 'maybe' }, 'strconv.ParseBool: parsing "maybe": invalid syntax'],
    ['json-file', { compress: 'true' }, 'compress cannot be true when max-file is less than 2'],
    ['json-file', { tag: '{{.Nope}}' }, "can't evaluate field Nope in type *logger.Info"],
    ['json-file', { tag: '{{.Name}' }, 'unclosed action'],
    ['json-file', { 'labels-regex': '(' }, 'error parsing regexp'],
    ['local', { 'max-file': '1' }, 'compression cannot be enabled when max file count is 1'],
  ])('%s does not start with %j', (Type, Config, message) => {
    expect(() => logPlan(record(Type, Config))).toThrow(
      expect.objectContaining({ status: 500, message: expect.stringContaining(FAILED) }),
    );
    expect(() => logPlan(record(Type, Config))).toThrow(message);
  });

  it('json-file writes without limits unless it is given some', () => {
    const path = `/var/lib/docker/containers/${ID}/${ID}-json.log`;
    expect(logPlan(record('json-file', {}))).toEqual({ path });
    expect(logPlan(record('json-file', { 'max-file': '3' }))).toEqual({ path });
    expect(logPlan(record('json-file', { 'max-size': '1.5k', 'max-file': '3', compress: 'true' }))).toEqual({
      path,
      rotation: { size: 1500, files: 3, compresses: true },
    });
  });

  it('local has limits, and none has no log', () => {
    expect(logPlan(record('local', {}))).toEqual({
      path: `/var/lib/docker/containers/${ID}/local-logs/container.log`,
      directory: `/var/lib/docker/containers/${ID}/local-logs`,
      rotation: { size: 20 * 2 ** 20, files: 5, compresses: true },
    });
    expect(logPlan(record('none', {}))).toBeUndefined();
  });

  it('json-file adds labels, variables and a tag to lines', () => {
    const config = { Labels: { b: '2', a: 'x "y"', other: '' }, Env: ['E=e=e', 'PATH=/bin', 'NONE'] };
    const attrs = (options: Record<string, string>) => logPlan(record('json-file', options, config))?.attrs;
    expect(attrs({ labels: 'a,b,nosuch', env: 'E,NONE' })).toBe('{"E":"e=e","a":"x \\"y\\"","b":"2"}');
    expect(attrs({ 'labels-regex': '^(a|o)', 'env-regex': 'AT' })).toBe(
      '{"PATH":"/bin","a":"x \\"y\\"","other":""}',
    );
    expect(attrs({ tag: '{{.Name}}/{{ .ID }}/{{.ImageName}}/{{.Command}}' })).toBe(
      `{"tag":"web/${ID.slice(0, 12)}/nginx:1/sh -c true"}`,
    );
    expect(attrs({ labels: 'nosuch' })).toBeUndefined();
  });

  it('json-file refuses what could keep the engine busy, or every line long', () => {
    expect(() => logPlan(record('json-file', { 'labels-regex': '(a+)+$' }))).toThrow('too complex');
    expect(() => logPlan(record('json-file', { 'labels-regex': '.*a.*b.*c' }))).toThrow('too complex');
    expect(() =>
      logPlan(record('json-file', { labels: 'a' }, { Labels: { a: 'x'.repeat(20_000) } })),
    ).toThrow('16384 bytes at most');
    expect(() => logPlan(record('json-file', { tag: '{{range .X}}' }))).toThrow('not supported');
  });
});
