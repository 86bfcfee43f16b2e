// Turns a lab's text into HTML that is safe to insert into a page, whoever wrote the lab.

import MarkdownIt, { type RendererRule, type Token } from 'markdown-it';
import { CONTAINERS } from '../format/markdown.ts';
import type { Lab } from '../lab.ts';
import { isAssetPath, isImageUrl, isLinkUrl, previewTarget } from './urls.ts';

/** How addresses that only the server knows are made. */
export interface RenderOptions {
  /** address of a page served in the student's lab host */
  previewHref(port: number, path: string): string;
  /** address of a file in the lab's own folder */
  assetHref(path: string): string;
}

/** A lab as the browser shows it. */
export interface RenderedLab {
  introduction: string;
  steps: { id: string; title: string; html: string }[];
}

/**
 * Renders every step. The page finds its hooks by these attributes:
 * - `figure.code > pre > code` any code, with `button[data-copy="text"]`; `figure.code.run` also has `button[data-run="command"]`,
 *   with `data-on="host"` where it is not for the first lab host
 * - `figure.code.file > figcaption` a file that lies in the lab host
 * - `details.hint > summary`, `details.solution > summary`, `aside.note`, `aside.warning` with `p.title`
 * - `a[data-preview-port][data-preview-path]` a page served in the lab host; its href is `previewHref`'s
 */
export function renderLab(lab: Lab, options: RenderOptions): RenderedLab {
  const renderer = createRenderer(options);
  return {
    introduction: renderer(lab.introduction),
    steps: lab.steps.map(({ id, title, tokens }) => ({ id, title, html: renderer(tokens) })),
  };
}

function createRenderer(options: RenderOptions): (tokens: readonly Token[]) => string {
  const md = new MarkdownIt({ html: false, linkify: false, typographer: false });
  Object.assign(md.renderer.rules, {
    fence: renderFence,
    code_block: (tokens, index) => code({ text: tokens[index]?.content ?? '', language: '' }),
    link_open: linkRule(options),
    image: imageRule(options),
    th_open: cell,
    td_open: cell,
    html_block: (tokens, index) => escapeHtml(tokens[index]?.content ?? ''),
    html_inline: (tokens, index) => escapeHtml(tokens[index]?.content ?? ''),
    lab_container_open: (tokens, index) => openContainer(tokens[index]),
    lab_container_close: (tokens, index) =>
      isFolded(tokens[index]) ? '</div></details>\n' : '</div></aside>\n',
  } satisfies Record<string, RendererRule>);
  return (tokens) => md.renderer.render([...tokens], md.options, {});
}

const { escapeHtml } = new MarkdownIt().utils;

const renderFence: RendererRule = (tokens, index) => {
  const token = tokens[index];
  const { directive, attributes } = token?.meta ?? {};
  const text = token?.content ?? '';
  const language = languageClass(token);
  if (directive === 'check' || directive === 'wrong') return '';
  const on = attributeIn(attributes, 'on');
  if (directive === 'run') return code({ text, language, run: true, on });
  if (directive === 'file') {
    const path = attributeIn(attributes, 'path');
    return code({ text, language, caption: on === '' ? path : `${on}: ${path}` });
  }
  if (directive !== 'solution') return code({ text, language });
  const block = code({ text, language, run: true, on });
  if (isInsideContainer(tokens, index)) return block;
  return `<details class="solution"><summary>${CONTAINERS.solution}</summary><div>${block}</div></details>\n`;
};

function code(block: {
  text: string;
  language: string;
  run?: boolean;
  caption?: string | undefined;
  /** the lab host that a command is for; '' for the first */
  on?: string;
}): string {
  const { text, language, run, caption, on = '' } = block;
  const kind = run ? ' run' : caption === undefined ? '' : ' file';
  const command = escapeHtml(text.trimEnd());
  const host = escapeHtml(on);
  const runButton = run
    ? `<button type="button" data-run="${command}"${host && ` data-on="${host}"`}>Run${host && ` on ${host}`}</button>`
    : '';
  return [
    `<figure class="code${kind}">`,
    caption === undefined ? '' : `<figcaption>${escapeHtml(caption)}</figcaption>`,
    `<pre><code${language ? ` class="${language}"` : ''}>${escapeHtml(text)}</code></pre>`,
    `<div class="actions">${runButton}<button type="button" data-copy="${command}">Copy</button></div>`,
    '</figure>\n',
  ].join('');
}

function languageClass(token: Token | undefined): string {
  const language = String(token?.meta?.language ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9+#-]/g, '');
  return language === '' ? '' : `language-${language.slice(0, 30)}`;
}

function attributeIn(attributes: unknown, name: string): string {
  if (attributes === null || typeof attributes !== 'object') return '';
  return String(Object.getOwnPropertyDescriptor(attributes, name)?.value ?? '');
}

function isInsideContainer(tokens: readonly Token[], index: number): boolean {
  const before = tokens.slice(0, index);
  const count = (type: string) => before.filter((token) => token.type === type).length;
  return count('lab_container_open') > count('lab_container_close');
}

function isFolded(token: Token | undefined): boolean {
  return token?.meta?.name === 'hint' || token?.meta?.name === 'solution';
}

function openContainer(token: Token | undefined): string {
  const name = String(token?.meta?.name ?? '');
  const kind = Object.hasOwn(CONTAINERS, name) ? name : 'note';
  const title = escapeHtml(String(token?.meta?.title || CONTAINERS[kind] || ''));
  if (isFolded(token)) return `<details class="${kind}"><summary>${title}</summary><div>\n`;
  return `<aside class="${kind}"><p class="title">${title}</p><div>\n`;
}

/** markdown-it aligns cells by a style attribute, which a strict content security policy ignores. */
const cell: RendererRule = (tokens, index) => {
  const token = tokens[index];
  const style = String(token?.attrs?.find(([key]) => key === 'style')?.[1] ?? '');
  const alignment = /text-align:\s*(left|center|right)/.exec(style)?.[1];
  return `<${token?.tag === 'th' ? 'th' : 'td'}${alignment ? ` class="${alignment}"` : ''}>`;
};

function attribute(token: Token | undefined, name: string): string {
  return String(token?.attrs?.find(([key]) => key === name)?.[1] ?? '');
}

function linkRule({ previewHref }: RenderOptions): RendererRule {
  return (tokens, index) => {
    const href = attribute(tokens[index], 'href');
    const title = attribute(tokens[index], 'title');
    const rest = title === '' ? '' : ` title="${escapeHtml(title)}"`;
    const target = previewTarget(href);
    if (target) {
      const address = escapeHtml(previewHref(target.port, target.path));
      const data = `data-preview-port="${target.port}" data-preview-path="${escapeHtml(target.path)}"`;
      return `<a class="preview" href="${address}" ${data} target="_blank" rel="noopener"${rest}>`;
    }
    if (!isLinkUrl(href)) return '<a>';
    if (href.startsWith('#')) return `<a href="${escapeHtml(href)}"${rest}>`;
    return `<a href="${escapeHtml(href)}" target="_blank" rel="noopener noreferrer"${rest}>`;
  };
}

function imageRule({ assetHref }: RenderOptions): RendererRule {
  return (tokens, index) => {
    const source = attribute(tokens[index], 'src');
    const alternative = escapeHtml(tokens[index]?.content ?? '');
    if (!isImageUrl(source)) return alternative;
    const address = isAssetPath(source) ? assetHref(source) : source;
    return `<img src="${escapeHtml(address)}" alt="${alternative}" loading="lazy" referrerpolicy="no-referrer">`;
  };
}
