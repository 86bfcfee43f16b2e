import { describe, expect, it } from 'vitest';
import { markdown } from '../format/markdown.ts';
import { parseLab } from '../format/parse.ts';
import type { Lab } from '../lab.ts';
import { renderLab } from './render.ts';

const OPTIONS = {
  previewHref: (port: number, path: string) => `http://${port}--local.localhost:3000${path}`,
  assetHref: (path: string) => `/api/labs/x/files/${path}`,
};

function render(body: string): string {
  const text = `---\nformat: 1\ntitle: T\nsummary: S\nminutes: 5\n---\n\n## A\n\n${body}`;
  const { lab, problems } = parseLab(text, 'lab.md');
  if (!lab) throw new Error(JSON.stringify(problems));
  return renderLab(lab, OPTIONS).steps[0]?.html ?? '';
}

/** Renders what the parser would refuse, to see that safety does not depend on it. */
function renderUnchecked(body: string): string {
  const lab: Lab = {
    title: '',
    summary: '',
    minutes: 1,
    difficulty: 'beginner',
    images: [],
    ports: [],
    hosts: ['lab'],
    internet: false,
    introduction: markdown.parse(body, { problems: [] }),
    steps: [],
  };
  return renderLab(lab, OPTIONS).introduction;
}

describe('the HTML of a step', () => {
  it('has commands to run and to copy', () => {
    expect(render('```sh run\necho "a < b"\n```')).toBe(
      '<figure class="code run"><pre><code class="language-sh">echo &quot;a &lt; b&quot;\n</code></pre>' +
        '<div class="actions"><button type="button" data-run="echo &quot;a &lt; b&quot;">Run</button>' +
        '<button type="button" data-copy="echo &quot;a &lt; b&quot;">Copy</button></div></figure>\n',
    );
    expect(render('```sh\nls\n```')).not.toContain('data-run');
  });

  it('folds hints and solutions, and shows notes', () => {
    expect(render(':::hint Why *not*?\nBecause.\n:::')).toBe(
      '<details class="hint"><summary>Why *not*?</summary><div>\n<p>Because.</p>\n</div></details>\n',
    );
    expect(render('```sh solution\nls\n```')).toMatch(
      /^<details class="solution"><summary>Solution<\/summary>/,
    );
    const nested = render(':::solution\nText.\n\n```sh solution\nls\n```\n:::');
    expect(nested.match(/<details/g)).toHaveLength(1);
    expect(render(':::warning\nx\n:::')).toContain('<aside class="warning"><p class="title">Careful</p>');
  });

  it('does not show checks and known-wrong answers', () => {
    const html = render(
      '```yaml check\nimage: { name: secret }\n```\n\n```yaml wrong\nrun: secret\nexpect: x\n```',
    );
    expect(html).toBe('');
  });

  it('shows files with their path', () => {
    expect(render('```html file path=/root/a.html\n<p>\n```')).toContain(
      '<figcaption>/root/a.html</figcaption>',
    );
  });

  it('links to previews, the web, and places on the page', () => {
    expect(render('[open](preview:8080/api?x=1&y)')).toContain(
      '<a class="preview" href="http://8080--local.localhost:3000/api?x=1&amp;y" data-preview-port="8080" data-preview-path="/api?x=1&amp;y" target="_blank" rel="noopener">',
    );
    expect(render('<https://example.com>')).toContain('rel="noopener noreferrer"');
    expect(render('[x](#next)')).toContain('<a href="#next">x</a>');
  });

  it("takes pictures from the lab's folder", () => {
    expect(render('![A box](img/box.png)')).toContain('<img src="/api/labs/x/files/img/box.png" alt="A box"');
  });

  it('aligns cells of tables without styles', () => {
    expect(render('|a|b|\n|--:|---|\n|1|2|')).toContain('<th class="right">a</th>');
  });
});

/** The elements and attributes that may be in the HTML of a lab; everything else in it must be text. */
const ALLOWED: Record<string, readonly string[]> = {
  a: ['class', 'href', 'data-preview-port', 'data-preview-path', 'target', 'rel', 'title'],
  img: ['src', 'alt', 'loading', 'referrerpolicy'],
  button: ['type', 'data-run', 'data-copy'],
  code: ['class'],
  figure: ['class'],
  details: ['class'],
  aside: ['class'],
  p: ['class'],
  div: ['class'],
  th: ['class'],
  td: ['class'],
  ol: ['start'],
  ...Object.fromEntries(
    'pre figcaption summary ul li em strong s blockquote hr br h1 h2 h3 h4 h5 h6 table thead tbody tr'
      .split(' ')
      .map((tag) => [tag, []]),
  ),
};
const ADDRESS = /^(https?:\/\/|mailto:|#|\/api\/labs\/x\/files\/)/;

function decode(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

/** What in the HTML is not allowed. */
function violations(html: string): string[] {
  const found: string[] = [];
  const rest = html.replace(
    /<(\/?)([a-z0-9]+)((?: [a-z-]+="[^"<>]*")*)>/g,
    (_, close: string, tag: string, attributes: string) => {
      const allowed = ALLOWED[tag];
      if (!allowed || (close && attributes)) found.push(`<${close}${tag}${attributes}>`);
      for (const [, name = '', value = ''] of attributes.matchAll(/ ([a-z-]+)="([^"]*)"/g)) {
        if (!allowed?.includes(name)) found.push(`${tag} ${name}`);
        if ((name === 'href' || name === 'src') && !ADDRESS.test(decode(value)))
          found.push(`${tag} ${name}=${value}`);
        if (name === 'class' && !/^[a-z0-9+# -]+$/.test(value)) found.push(`${tag} class=${value}`);
      }
      return '';
    },
  );
  if (/[<>]/.test(rest)) found.push(rest);
  return found;
}

const HOSTILE = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  '<a href="javascript:alert(1)">x</a>',
  '<style>*{display:none}</style>',
  '<!-- --!><img src=x onerror=alert(1)> -->',
  '[x](javascript:alert(1))',
  '[x](JaVaScRiPt:alert(1))',
  '[x](  javascript:alert(1))',
  '[x](java\tscript:alert(1))',
  '[x](java&#10;script:alert(1))',
  '[x](&#106;avascript:alert(1))',
  '[x](&#x6A;avascript&colon;alert(1))',
  '[x](javascript&#58;alert(1))',
  '[x](\\javascript:alert(1))',
  '[x](%6Aavascript:alert(1))',
  '[x](\u0001javascript:alert(1))',
  '[x](vbscript:msgbox)',
  '[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)',
  '[x](file:///etc/passwd)',
  '[x](blob:https://x/y)',
  '[x](//evil.example)',
  '[x](/\\evil.example)',
  '[x](\\\\evil.example)',
  '[x](https:evil.example)',
  '[x](https:\\\\evil.example)',
  '[x](/api/sessions/x/reset)',
  '[x](../../api)',
  '[x](preview:8080/"onmouseover="alert(1))',
  '[x](preview:8080//evil" autofocus onfocus=alert(1))',
  '[x](preview:0)',
  '[x](https://example.com/"onmouseover="alert(1))',
  '[x](https://example.com "title\\" onmouseover=\\"alert(1)")',
  "[x](https://example.com 'a\"b<c>')",
  '<javascript:alert(1)>',
  '<https://example.com/"><script>alert(1)</script>>',
  '![x](javascript:alert(1))',
  '![x](data:image/svg+xml;base64,PHN2Zy8+)',
  '![x](http://tracker.example/x.png)',
  '![x](../../../etc/passwd)',
  '![x](%2e%2e/%2e%2e/secret)',
  '![x](//evil.example/x.png)',
  '![" onerror="alert(1)](a.png)',
  '![x](a.png "\\" onerror=\\"alert(1)")',
  '![[x](javascript:alert(1))](a.png)',
  '[ref]\n\n[ref]: javascript:alert(1)',
  '[ref]\n\n[ref]: <data:text/html,<script>alert(1)</script>>',
  '```sh run\n"><script>alert(1)</script>\n```',
  '```"><script>\nx\n```',
  '```sh run" onclick="alert(1)\nx\n```',
  '```sh\n</code></pre><script>alert(1)</script>\n```',
  '```sh\nnever closed <script>',
  '~~~"onload="x\n```\n<script>\n~~~',
  '    <script>indented</script>',
  '`<script>`',
  ':::hint <img src=x onerror=alert(1)>\n<script>\n:::',
  ':::"><script>\nx\n:::',
  ':::hint\n```\n:::\n<script>',
  ':::constructor\nx\n:::',
  ':::__proto__\nx\n:::',
  '|<script>|a|\n|:-:|---|\n|<img onerror=x>|[x](javascript:x)|',
  '### <b onclick=x>',
  '&lt;script&gt; &#60;script&#62;',
  '1. <script>\n   > ![x](vbscript:x)',
  '\u0000<script>\u0000',
  '[a](<javascript:alert(1)>)',
  '[a](https://example.com/\u2028onload)',
  '*<em onclick=x>* ~~<s>~~ **<b>**',
];

describe('hostile markdown', () => {
  it.each(HOSTILE)('%j becomes nothing but text and known elements', (text) => {
    expect(violations(renderUnchecked(text))).toEqual([]);
    expect(violations(renderUnchecked(`# a\n\n- ${text.replaceAll('\n', '\n  ')}\n\n> ${text}`))).toEqual([]);
  });

  it('makes no link of what is not allowed', () => {
    for (const text of HOSTILE) {
      const hrefs = [...renderUnchecked(text).matchAll(/(?:href|src)="([^"]*)"/g)].map(
        (match) => match[1] ?? '',
      );
      for (const href of hrefs)
        expect(decodeURIComponent(decode(href))).not.toMatch(/^\s*(javascript|vbscript|data|file|blob):/i);
    }
  });

  it('is told by the test when something gets through', () => {
    expect(violations('<p><script>x</script></p>')).not.toEqual([]);
    expect(violations('<a href="javascript:x">')).not.toEqual([]);
    expect(violations('<p onclick="x">')).not.toEqual([]);
    expect(violations('<p>a < b</p>')).not.toEqual([]);
  });
});
