import { describe, expect, it } from 'vitest';
import { formatProblem } from '../lab.ts';
import { parseLab } from './parse.ts';

const FRONT = `---
format: 1
title: T
summary: S
minutes: 5
---
`;

/** a lab whose body begins on line 7 */
function problemsOf(body: string, front = FRONT): string[] {
  return parseLab(front + body, 'x/lab.md').problems.map(formatProblem);
}

describe('a lab.md', () => {
  const { lab, problems } = parseLab(
    `---
format: 1
title: A page of your own
summary: Serve a page.
minutes: 10
images: [nginx]
ports: [8080, { port: 9090, title: Metrics }]
---

Welcome.

## Serve \`it\`

Text.

\`\`\`html file path=/root/index.html mode=600
<h1>Hello</h1>
\`\`\`

\`\`\`sh run
docker run nginx
\`\`\`

\`\`\`yaml check
- container: { name: web }
  title: web is there
  hint: look again
- http:
    url: http://localhost:8080/
\`\`\`

\`\`\`yaml wrong
run: docker run httpd
expect: nginx
\`\`\`

:::hint Which one?
\`\`\`sh run
docker ps
\`\`\`
:::

:::solution
Because.

\`\`\`sh solution
docker run --name web nginx
\`\`\`
:::

## The end {#done}

\`\`\`dockerfile
FROM x
\`\`\`
`,
    'lab.md',
  );

  it('has no problems', () => expect(problems).toEqual([]));

  it('has what its front matter says, and defaults', () => {
    expect(lab).toMatchObject({
      title: 'A page of your own',
      minutes: 10,
      difficulty: 'beginner',
      images: ['nginx'],
      ports: [
        { port: 8080, title: 'Port 8080' },
        { port: 9090, title: 'Metrics' },
      ],
    });
  });

  it('has steps with ids of their titles, or the given ones', () => {
    expect(lab?.steps.map(({ id, title, line }) => [id, title, line])).toEqual([
      ['serve-it', 'Serve it', 12],
      ['done', 'The end', 51],
    ]);
  });

  it('has what the fences of a step say', () => {
    const step = lab?.steps[0];
    expect(step).toMatchObject({
      commands: ['docker run nginx'],
      files: [{ path: '/root/index.html', mode: 0o600, content: '<h1>Hello</h1>\n' }],
      solution: [{ text: 'docker run --name web nginx\n' }],
      wrongAnswers: [{ run: 'docker run httpd', expect: 'nginx', line: 33 }],
    });
    expect(step?.checks.map(({ kind, title, hint, line }) => [kind, title, hint, line])).toEqual([
      ['container', 'web is there', 'look again', 25],
      ['http', 'http://localhost:8080/ answers 200', undefined, 28],
    ]);
  });

  it('says which lab host each fence is for', () => {
    const front = FRONT.replace('\n---', '\nhosts: [node1, node2]\n---');
    const text = `${front}
## A
\`\`\`yaml check on=node2
- container: { name: web }
- container: { name: other }
  on: node1
\`\`\`
\`\`\`file path=/root/x on=node2
\`\`\`
\`\`\`yaml wrong
- { run: "true", expect: web, on: node2 }
\`\`\`
\`\`\`sh solution on=node2
true
\`\`\`
`;
    const { lab, problems } = parseLab(text, 'lab.md');
    expect(problems).toEqual([]);
    expect(lab?.hosts).toEqual(['node1', 'node2']);
    const [step] = lab?.steps ?? [];
    expect(step?.checks.map(({ on }) => on)).toEqual(['node2', 'node1']);
    expect(step?.files).toMatchObject([{ path: '/root/x', on: 'node2' }]);
    expect(step?.solution).toEqual([{ text: 'true\n', on: 'node2' }]);
    expect(step?.wrongAnswers).toMatchObject([{ on: 'node2' }]);
    const unknown = parseLab(text.replaceAll('on=node2', 'on=nodes2'), 'lab.md');
    expect(unknown.problems[0]?.message).toBe(
      'on: the lab has no host "nodes2", did you mean "node2"?; its front matter names node1, node2',
    );
  });

  it('is read with Windows line ends and a byte order mark', () => {
    const text = `\uFEFF${FRONT}\n## A\n\ntext\n`.replaceAll('\n', '\r\n');
    expect(parseLab(text, 'lab.md').lab?.steps).toHaveLength(1);
  });
});

describe('problems of a lab.md', () => {
  it.each([
    [
      '## A\n```yaml check\n- container:\n    nmae: web\n```',
      '10: check container: unknown key "nmae", did you mean "name"?',
    ],
    [
      '## A\n```yaml check\ncontainer: { name: web, ports: x }\n```',
      '9: check container: ports.0: "x" is not a port; write 8080:80 or 80/udp',
    ],
    ['## A\n```yaml check\nimage: { user: root }\n```', '9: check image: name: is missing'],
    [
      '## A\n```yaml check\n- contaner: {}\n```',
      '9: check: unknown key "contaner", did you mean "container"?',
    ],
    [
      '## A\n```yaml check\n- container: {}\n  tilte: x\n```',
      '10: check: unknown key "tilte", did you mean "title"?',
    ],
    [
      '## A\n```yaml check\n- container: {}\n  image: { name: x }\n```',
      '9: check: container and image are checks of their own; begin each with "-"',
    ],
    [
      '## A\n```yaml check\nscript: { run: "true" }\n```',
      '9: check script: title is missing: say what it looks for',
    ],
    [
      '## A\n```yaml check\nhttp: { url: "ftp://x/" }\n```',
      '9: check http: url: "ftp://x/" is not a URL like http://localhost:8080/',
    ],
    [
      '## A\n```yaml check\nfile: { path: /x, content: { matches: "(" } }\n```',
      /^9: check file: content\.matches: Invalid regular expression/,
    ],
    [
      '## A\n```yaml check\n\n- just text\n```',
      '10: check: must be a map with one of container, image, http, process, file, script',
    ],
    ['## A\n```yaml check\n- container:\n   name: [\n```', /^1[01]: check: YAML: /],
    [
      '## A\n```yaml check\ncontainer: { name: a }\ncontainer: { name: b }\n```',
      /^(9|10): check: YAML: Map keys must be unique/,
    ],
    ['## A\n```yaml check\n\n```', '8: check: the fence is empty'],
    ['## A\n```chekc\n```', '8: unknown directive "chekc", did you mean "check"?'],
    ['## A\n```sh rnu\nls\n```', '8: unknown directive "rnu", did you mean "run"?'],
    ['## A\n```python run\nls\n```', '8: a run fence is written as "sh run", not "python run"'],
    ['## A\n```file paht=/x\n```', '8: unknown attribute "paht", did you mean "path"?'],
    ['## A\n```file path=x\n```', '8: file: "x" is not an absolute path of a file'],
    ['## A\n```file path=/a/../b\n```', '8: file: "/a/../b" is not an absolute path of a file'],
    ['## A\n```file path=/a mode=999\n```', '8: file: mode "999" is not octal, like 644'],
    [
      '## A\n- one\n\n  ```yaml check\n  image: { name: x }\n  ```',
      '10: a check fence must stand outside of lists and quotations',
    ],
    ['## A\n:::hint\n```sh solution\nls\n```\n:::', '9: a solution fence must stand outside of :::hint'],
    ['## A\n:::hnit Title\ntext\n:::', '8: unknown container ":::hnit", did you mean "hint"?'],
    ['## A\n:::hint\ntext', '8: ":::hint" is never closed by a line with :::'],
    ['## A\ntext\n\n:::', '10: this ::: closes nothing'],
    ['## A\n- a\n\n  :::hint\n  x\n  :::', /^10: ":::hint" must stand at the beginning of a line/],
    ['## A\n\n## A', '9: the step at line 7 has the id "a" already; write {#another-id} behind this heading'],
    ['## A {#B!}', '7: the id "B!" must be of a-z 0-9 - (at most 64)'],
    ['## ', '7: the step has no title'],
    ['# A\n\n## B', '7: the title is in the front matter; use ## for steps and ### within them'],
    ['```sh run\nls\n```\n## A', '7: directives belong into a step, below a heading with ##'],
    [
      '## A\n[x](javascript:alert)',
      '8: the link to "javascript:alert" must be https://…, mailto:…, preview:PORT or #step-id',
    ],
    [
      '## A\n[x](preview:99999)',
      '8: the link to "preview:99999" must be https://…, mailto:…, preview:PORT or #step-id',
    ],
    [
      '## A\n![x](http://example.com/a.png)',
      '8: the image "http://example.com/a.png" must be https://… or a file beside the lab.md',
    ],
    ['## A\n![](a.png)', '8: the image "a.png" needs a text that says what it shows'],
    ['## A\n```yaml wrong\nrun: ls\n```', '9: wrong: expect: is missing'],
    ['just text', '1: a lab has at least one step: a heading with ##'],
  ])('%j', (body, message) => {
    const found = problemsOf(body);
    expect(found).toHaveLength(1);
    if (typeof message === 'string') expect(found[0]).toBe(`x/lab.md:${message}`);
    else expect(found[0]?.replace('x/lab.md:', '')).toMatch(message);
  });

  it.each([
    ['', '1: a lab begins with front matter between two lines of ---'],
    [
      '---\nformat: 2\ntitle: T\nsummary: S\nminutes: 5\n---\n## A',
      '2: format: must be 1, the only version of the format there is',
    ],
    ['---\nformat: 1\ntitle: T\nminutes: 5\n---\n## A', /summary: is missing$/],
    [
      '---\nformat: 1\ntitle: T\nsummary: S\nminuts: 5\nminutes: 5\n---\n## A',
      '5: unknown key "minuts", did you mean "minutes"?',
    ],
    [
      '---\nformat: 1\ntitle: T\nsummary: S\nminutes: 5\nports:\n  - 1\n  - 70000\n---\n## A',
      '8: ports.1.port: must be 1 to 65535',
    ],
  ])('front matter %j', (text, message) => {
    const [found = ''] = problemsOf('', text);
    if (typeof message === 'string') expect(found).toBe(`x/lab.md:${message}`);
    else expect(found).toMatch(message);
  });

  it('refuses what is too large or too deep in reasonable time', () => {
    const began = performance.now();
    expect(problemsOf('x'.repeat(300_000))).toEqual(['x/lab.md:1: the file is larger than 256 KiB']);
    expect(problemsOf(`## A\n\`\`\`yaml check\n${'['.repeat(100_000)}\n\`\`\``)).not.toEqual([]);
    expect(problemsOf('## A\n'.repeat(200))).toContain(
      'x/lab.md:1: a lab has at most 100 steps, this one has 200',
    );
    problemsOf(`## A\n${'['.repeat(100_000)}`);
    problemsOf(`## A\n${'> '.repeat(50_000)}`);
    problemsOf(`## A\n${'*a_ '.repeat(30_000)}`);
    problemsOf(`## A\n${':::hint\n'.repeat(20_000)}`);
    problemsOf(`## A\n${'- x\n'.repeat(30_000)}`);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('refuses aliases that grow without a bound', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'.split('').map((key, index) => {
        const before = 'abcdefgh'[index];
        return `${key}: &${key} [${Array.from({ length: 9 }, () => `*${before}`).join(',')}]`;
      }),
    ].join('\n');
    expect(problemsOf(`## A\n\`\`\`yaml check\n${bomb}\n\`\`\``)[0]).toMatch(/YAML: /);
  });
});
