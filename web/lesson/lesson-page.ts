// The page of a lesson: its text and steps on the left, the lab host's terminals on the right.

import { html, LitElement, nothing, type PropertyValues } from 'lit';
import { unsafeHTML } from 'lit/directives/unsafe-html.js';
import type { LabPage, RunView } from '../../server/protocol.ts';
import { ApiError, api } from '../api/api.ts';
import { LiveController } from '../api/live-controller.ts';
import { brand, brandStyles } from '../app/brand.ts';
import '../app/not-found.ts';
import '../app/theme-toggle.ts';
import { controls } from '../styles/controls.ts';
import { prose } from '../styles/prose.ts';
import '../terminal/terminal-panel.ts';
import { TerminalPanel } from '../terminal/terminal-panel.ts';
import { onCodeButton, type RunCommand } from './code-buttons.ts';
import { lessonStyles } from './lesson.styles.ts';
import './lesson-step.ts';
import './reset-dialog.ts';
import { ResetDialog } from './reset-dialog.ts';
import './split-view.ts';
import { announcementOf, justDone } from './progress.ts';

/** Milliseconds until the page looks for the server again. */
const RETRY = 1500;

/** `<berth-lesson>` */
export class LessonPage extends LitElement {
  static override properties = {
    slug: {},
    lab: { state: true },
    openSteps: { state: true },
    announcement: { state: true },
    problem: { state: true },
    isMissing: { state: true },
  };
  declare slug: string;
  declare lab: LabPage | undefined;
  /** what the person opened or closed by hand, and what was ticked while they looked */
  declare openSteps: ReadonlyMap<string, boolean>;
  declare announcement: string;
  declare problem: string;
  declare isMissing: boolean;
  private readonly live = new LiveController(this, (run, before) => this.noticeRun(run, before));

  static override styles = [controls, prose, brandStyles, lessonStyles];

  constructor() {
    super();
    this.openSteps = new Map();
    this.announcement = '';
    this.problem = '';
    this.isMissing = false;
  }

  protected override willUpdate(changed: PropertyValues<this>) {
    if (!changed.has('slug')) return;
    this.lab = undefined;
    this.openSteps = new Map();
    this.enter(this.slug);
  }

  private async enter(slug: string): Promise<void> {
    try {
      const lab = await api.lab(slug);
      const session = await api.openSession(slug);
      if (slug !== this.slug || !this.isConnected) return;
      this.lab = lab;
      this.problem = '';
      document.title = `${lab.title} – Berth`;
      this.live.follow(session.id);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) {
        this.isMissing = true;
        return;
      }
      this.problem = error instanceof Error ? error.message : String(error);
      setTimeout(() => slug === this.slug && this.isConnected && this.enter(slug), RETRY);
    }
  }

  override render() {
    if (this.isMissing)
      return html`<berth-not-found .message=${'There is no such lesson.'}></berth-not-found>`;
    const { lab, live } = this;
    if (!lab) return html`<p class="waiting" role="status">${this.problem || nothing}</p>`;
    return html`<header class="top">
        <button class="skip" type="button" @click=${() => this.panel?.focus()}>Skip to the terminal</button>
        ${brand()}
        <span class="where">${lab.title}</span>
        ${this.renderCount()}
        <button class="button quiet" type="button" ?disabled=${!live.session} @click=${this.askReset}>Start over</button>
        <berth-theme-toggle></berth-theme-toggle>
      </header>
      <main>
      <berth-split>
        <div class="text" slot="first">${this.renderLesson(lab)}</div>
        <berth-terminals
          slot="second"
          role="region"
          aria-label="Terminals of your lab host"
          .session=${live.session}
          .terminals=${live.terminals}
          ?connected=${live.isConnected}
          .hosts=${lab.hosts}
          .ports=${lab.ports}
          .previewTemplate=${lab.previewTemplate}
          @thaw=${() => this.attempt((id) => api.thaw(id))}
          @start=${() => this.attempt(() => api.openSession(this.slug))}
        ></berth-terminals>
      </berth-split>
      </main>
      <berth-reset-dialog @reset=${this.reset}></berth-reset-dialog>
      <div class="unseen" role="status" aria-live="polite">${this.announcement}</div>`;
  }

  private renderLesson(lab: LabPage) {
    return html`<article @run-command=${this.runCommand}>
      <h1>${lab.title}</h1>
      ${this.problem ? html`<p class="problem" role="alert">${this.problem}</p>` : nothing}
      <div class="prose introduction" @click=${onCodeButton}>${unsafeHTML(lab.introduction)}</div>
      ${lab.steps.map(
        (step, index) =>
          html`<berth-step
            data-step=${step.id}
            ?first=${index === 0}
            ?last=${index === lab.steps.length - 1}
            .number=${index + 1}
            .heading=${step.title}
            .content=${step.html}
            .state=${this.live.run?.steps.find(({ id }) => id === step.id)}
            ?open=${this.isOpen(step.id)}
            @toggle=${() => this.toggle(step.id)}
            @acknowledge=${() => this.attempt((id) => api.acknowledge(id, step.id))}
            @check-again=${() => this.attempt((id) => api.check(id))}
          ></berth-step>`,
      )}
      ${this.live.run?.done ? this.renderFinish(lab) : nothing}
    </article>`;
  }

  private renderFinish({ next }: LabPage) {
    return html`<section class="finish">
      <h2>All steps are done</h2>
      <p>${next ? 'Your lab host stays as it is; come back to it whenever you like.' : 'This was the last lesson for now.'}</p>
      ${
        next
          ? html`<a class="button primary" href="/labs/${next.slug}">Go on: ${next.title}</a>`
          : html`<a class="button" href="/">All lessons</a>`
      }
    </section>`;
  }

  private renderCount() {
    const { run } = this.live;
    if (!run) return nothing;
    const done = run.steps.filter(({ status }) => status === 'done').length;
    return html`<span class="count">
      <span class="pips" aria-hidden="true">${run.steps.map(({ status }) => html`<i class=${status}></i>`)}</span>
      ${done} of ${run.steps.length}<span class="unseen"> steps done</span>
    </span>`;
  }

  private isOpen(step: string): boolean {
    return this.openSteps.get(step) ?? this.live.run?.current === step;
  }

  private toggle(step: string) {
    this.openSteps = new Map([...this.openSteps, [step, !this.isOpen(step)]]);
  }

  /** A step that is ticked off while the person looks stays open, and the next one comes into view. */
  private noticeRun(run: RunView, before: RunView | undefined) {
    if (!before && run.current && run.steps[0]?.status === 'done') this.showCurrent(run, 'auto');
    const done = justDone(run, before);
    if (done.length === 0) return;
    this.openSteps = new Map([...this.openSteps, ...done.map(({ id }): [string, boolean] => [id, true])]);
    this.announcement = announcementOf(run, done);
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.showCurrent(run, isCalm ? 'auto' : 'smooth');
  }

  private async showCurrent({ current }: RunView, behavior: ScrollBehavior) {
    await this.updateComplete;
    // the steps themselves are drawn after this element
    await new Promise(requestAnimationFrame);
    const target = current ? `[data-step="${CSS.escape(current)}"]` : '.finish';
    this.renderRoot.querySelector(target)?.scrollIntoView({ behavior, block: 'start' });
  }

  private get panel(): TerminalPanel | undefined {
    const panel = this.renderRoot.querySelector('berth-terminals');
    return panel instanceof TerminalPanel ? panel : undefined;
  }

  private runCommand(event: CustomEvent<RunCommand>) {
    this.panel?.run(event.detail.command, event.detail.host);
  }

  private askReset() {
    const dialog = this.renderRoot.querySelector('berth-reset-dialog');
    if (dialog instanceof ResetDialog) dialog.show();
  }

  private reset(event: CustomEvent<boolean>) {
    if (event.detail) this.openSteps = new Map();
    this.attempt((id) => api.reset(id, event.detail));
  }

  private async attempt(call: (session: string) => Promise<unknown>): Promise<void> {
    const id = this.live.session?.id;
    if (!id) return;
    try {
      await call(id);
      this.problem = '';
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error);
    }
  }
}

customElements.define('berth-lesson', LessonPage);
