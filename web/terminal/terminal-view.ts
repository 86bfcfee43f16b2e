// One terminal on the screen: xterm, its size, its keys, and its connection.

import { ClipboardAddon } from '@xterm/addon-clipboard';
import { FitAddon } from '@xterm/addon-fit';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';
import xtermStyles from '@xterm/xterm/css/xterm.css?inline';
import { css, html, LitElement, type PropertyValues, unsafeCSS } from 'lit';
import { TerminalConnection } from './connection.ts';
import { handleKey } from './keys.ts';
import { linkTarget } from './links.ts';
import { palette } from './palette.ts';
import { isTerminalReply } from './replies.ts';
import { typeCommand } from './typing.ts';

/** Milliseconds after a (re)connection in which output is a replay, so that questions in it get no answer. */
const REPLAY_TIME = 600;
/** Milliseconds without output after which a command is taken to have said what it says, and the longest wait for that. */
const QUIET_TIME = 150;
const LONGEST_QUIET_WAIT = 4000;

/**
 * `<berth-terminal>`: fires `terminal-ended` (detail: exit code or null), `terminal-gone`, `terminal-connected` (detail:
 * boolean) and `terminal-leave` (the person wants the focus out of it).
 */
export class TerminalView extends LitElement {
  static override properties = { session: {}, terminal: {}, label: {}, previewTemplate: {} };
  declare session: string;
  declare terminal: string;
  declare label: string;
  declare previewTemplate: string;

  static override styles = [
    unsafeCSS(xtermStyles),
    css`
      :host {
        display: block;
        position: relative;
        min-height: 0;
        overflow: hidden;
        background: var(--term);
      }
      .screen {
        position: absolute;
        inset: 0.5rem 0 0.25rem 0.75rem;
      }
      .xterm {
        height: 100%;
      }
      .xterm .xterm-viewport,
      .xterm .xterm-scrollable-element {
        background-color: var(--term) !important;
      }
    `,
  ];

  private readonly xterm = new Terminal({
    allowProposedApi: true,
    cursorBlink: true,
    fontFamily: '"IBM Plex Mono", ui-monospace, "DejaVu Sans Mono", monospace',
    fontSize: 14,
    lineHeight: 1.2,
    fontWeightBold: 600,
    minimumContrastRatio: 4.5,
    scrollback: 5000,
    theme: palette,
  });
  private readonly fit = new FitAddon();
  private connection: TerminalConnection | undefined;
  private typing: AbortController | undefined;
  private readonly resizes = new ResizeObserver(() => this.adapt());
  private replayUntil = 0;
  private lastOutput = 0;

  override render() {
    return html`<div class="screen"></div>`;
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.resizes.disconnect();
    this.typing?.abort();
    this.connection?.close();
    this.xterm.dispose();
  }

  override focus() {
    this.xterm.focus();
  }

  /** Types the command visibly and presses Enter. */
  async type(command: string): Promise<void> {
    this.typing?.abort();
    this.typing = new AbortController();
    this.xterm.scrollToBottom();
    const keyboard = {
      send: (text: string) => this.connection?.type(text),
      quiet: (signal: AbortSignal) => this.quiet(signal),
    };
    await typeCommand(keyboard, command, this.typing.signal);
  }

  /** What is on the screen and above it, as text. */
  text(): string {
    const { active } = this.xterm.buffer;
    const lines = Array.from(
      { length: active.length },
      (_, row) => active.getLine(row)?.translateToString(true) ?? '',
    );
    return lines.join('\n').trimEnd();
  }

  protected override async firstUpdated(_changed: PropertyValues): Promise<void> {
    // letters are measured once, when the terminal opens
    await Promise.allSettled([
      document.fonts.load('14px "IBM Plex Mono"'),
      document.fonts.load('600 14px "IBM Plex Mono"'),
    ]);
    const screen = this.renderRoot.querySelector<HTMLElement>('.screen');
    if (!screen || !this.isConnected) return;
    this.open(screen);
    this.connect();
  }

  private open(screen: HTMLElement): void {
    const { xterm } = this;
    xterm.loadAddon(this.fit);
    xterm.loadAddon(new WebLinksAddon((_event, text) => this.openLink(text)));
    // programs may set the clipboard while the person is in the terminal; no program may read it
    xterm.loadAddon(
      new ClipboardAddon(undefined, {
        readText: () => '',
        writeText: (_selection, text) =>
          this.matches(':focus-within') ? navigator.clipboard.writeText(text) : undefined,
      }),
    );
    xterm.open(screen);
    this.loadWebgl();
    xterm.textarea?.setAttribute('aria-label', `${this.label}. Control Shift Period leaves it.`);
    xterm.attachCustomKeyEventHandler((event) =>
      handleKey(event, xterm, () => this.fire('terminal-leave', null)),
    );
    xterm.onData((data) => this.send(data));
    xterm.onBinary((data) =>
      this.connection?.sendBytes(Uint8Array.from(data, (letter) => letter.charCodeAt(0))),
    );
    xterm.onResize((size) => this.connection?.resize(size));
    this.adapt();
    this.resizes.observe(this);
  }

  /** Faster where the browser can; xterm draws with elements where it cannot. */
  private loadWebgl(): void {
    try {
      const webgl = new WebglAddon();
      webgl.onContextLoss(() => webgl.dispose());
      this.xterm.loadAddon(webgl);
    } catch {
      // no WebGL here
    }
  }

  private connect(): void {
    const { xterm } = this;
    this.connection = new TerminalConnection(this.session, this.terminal, {
      size: () => ({ rows: xterm.rows, cols: xterm.cols }),
      restart: () => {
        this.replayUntil = performance.now() + REPLAY_TIME;
        xterm.reset();
        setTimeout(() => this.redraw(), REPLAY_TIME);
      },
      write: (bytes, onShown) => {
        this.lastOutput = performance.now();
        xterm.write(bytes, onShown);
      },
      onConnected: (isConnected) => this.fire('terminal-connected', isConnected),
      onEnded: (code) => this.fire('terminal-ended', code),
      onGone: () => this.fire('terminal-gone', null),
    });
  }

  /** A program that draws the whole screen draws it anew when the size changes; its replay may begin in the middle. */
  private redraw(): void {
    const { rows, cols, buffer } = this.xterm;
    if (buffer.active.type !== 'alternate' || rows < 2) return;
    this.connection?.resize({ rows: rows - 1, cols });
    setTimeout(() => this.connection?.resize({ rows: this.xterm.rows, cols: this.xterm.cols }), 60);
  }

  private send(data: string): void {
    if (performance.now() < this.replayUntil && isTerminalReply(data)) return;
    if (!isTerminalReply(data)) this.typing?.abort();
    this.connection?.type(data);
  }

  /** As many letters as there is room for; a hidden terminal keeps its size. */
  private adapt(): void {
    if (this.offsetWidth > 0 && this.offsetHeight > 0) this.fit.fit();
  }

  private openLink(text: string): void {
    const target = linkTarget(text, this.previewTemplate);
    if (target) window.open(target, '_blank', 'noopener,noreferrer');
  }

  private async quiet(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + LONGEST_QUIET_WAIT;
    do await new Promise((resolve) => setTimeout(resolve, QUIET_TIME));
    while (
      !signal.aborted &&
      performance.now() < deadline &&
      performance.now() - this.lastOutput < QUIET_TIME
    );
  }

  private fire(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

customElements.define('berth-terminal', TerminalView);
