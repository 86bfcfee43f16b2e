// One student's way through one lab: evaluates the current step when something happens and ticks steps off.

import type { Activity } from '../../engine/client/types.ts';
import type { Check, Interests } from '../checks/check.ts';
import type { LabHosts } from '../hosts.ts';
import type { Lab, Step } from '../lab.ts';
import { evaluateChecks, waitingState } from './evaluate.ts';
import { followActivity } from './follow.ts';
import { Scheduler } from './scheduler.ts';
import { type CheckState, type LabProgress, noProgress, type RunState } from './state.ts';

/** milliseconds between looks at what can change without an event, while somebody is watching */
const POLL_INTERVAL = 5000;

export interface LabRunOptions {
  lab: Lab;
  hosts: LabHosts;
  /** what an earlier run's `progress()` was */
  progress?: LabProgress;
  /** called for errors that no student can mend */
  onError?(error: unknown): void;
}

/** What changed; `progress` says whether `progress()` did, and must be stored. */
export interface RunChange {
  progress: boolean;
}

/**
 * A run of a lab. The current step is the first one that is not done; a step once done stays done.
 *
 * @example
 * const run = new LabRun({ lab, hosts: oneHost(labHostOf(engine, 'ada')), progress });
 * run.onChange(async ({ progress }) => {
 *   if (progress) await store(run.progress());
 *   send(run.state());
 * });
 * run.start();
 * run.setWatched(true);
 */
export class LabRun {
  readonly lab: Lab;
  private readonly hosts: LabHosts;
  private readonly onError: (error: unknown) => void;
  private readonly done: Map<string, string>;
  private readonly placed: Set<string>;
  private readonly states = new Map<Check, CheckState>();
  private readonly stale = new Set<Check>();
  private readonly listeners = new Set<(change: RunChange) => void>();
  private readonly scheduler = new Scheduler(() => this.evaluateCurrent());
  private readonly over = new AbortController();
  private following: Promise<unknown> | undefined;
  private pollTimer: NodeJS.Timeout | undefined;
  /** lab hosts that do not run: nothing is evaluated until all do */
  private readonly away = new Set<string>();
  /** counts restarts and resets, so that an evaluation that began before one does not speak for the time after it */
  private era = 0;

  constructor({ lab, hosts, progress = noProgress(), onError }: LabRunOptions) {
    this.lab = lab;
    this.hosts = hosts;
    this.onError = onError ?? (() => undefined);
    this.done = new Map(Object.entries(progress.done));
    this.placed = new Set(progress.placed);
  }

  /** Begins to follow the lab hosts. */
  start(): void {
    if (this.following || this.over.signal.aborted) return;
    this.following = Promise.all(
      this.hosts.names.map((name) =>
        followActivity(this.hosts.get(name), this.over.signal, {
          onActivity: (activity) => this.notice(name, activity),
          onGap: () => this.refresh(),
        }),
      ),
    );
    this.refresh();
  }

  /** Stops everything; resolves when nothing is under way any more. */
  async dispose(): Promise<void> {
    this.over.abort();
    this.setWatched(false);
    this.listeners.clear();
    await Promise.all([this.scheduler.dispose(), this.following]);
  }

  /** Calls the listener after each change, until the returned function is called. */
  onChange(listener: (change: RunChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Somebody is watching (a page is open): look again now and then at what changes without events. */
  setWatched(isWatched: boolean): void {
    if (!isWatched) {
      clearInterval(this.pollTimer);
      this.pollTimer = undefined;
    } else if (!this.pollTimer && !this.over.signal.aborted) {
      this.pollTimer = setInterval(() => this.poll(), POLL_INTERVAL);
      this.pollTimer.unref();
      this.refresh();
    }
  }

  /** Evaluates all checks of the current step again. */
  refresh(): void {
    this.markStale(() => true);
  }

  /** Ticks off a step that has no checks; the student has read it. */
  acknowledge(stepId: string): void {
    const step = this.currentStep();
    if (step?.id === stepId && step.checks.length === 0) this.tick(step);
  }

  /** Forgets all progress. */
  restart(): void {
    this.era += 1;
    this.done.clear();
    this.placed.clear();
    this.states.clear();
    this.emit({ progress: true });
    this.refresh();
  }

  /** The states of one step's checks, evaluated now; ticks nothing off. */
  async evaluateStep(stepId: string, signal?: AbortSignal): Promise<CheckState[]> {
    const step = this.lab.steps.find(({ id }) => id === stepId);
    if (!step) throw new Error(`the lab has no step ${stepId}`);
    const either = signal ? AbortSignal.any([signal, this.over.signal]) : this.over.signal;
    return evaluateChecks(step.checks, this.hosts, either);
  }

  state(): RunState {
    const current = this.currentStep();
    return {
      steps: this.lab.steps.map((step) => {
        const doneAt = this.done.get(step.id);
        return {
          id: step.id,
          title: step.title,
          status: doneAt !== undefined ? 'done' : step === current ? 'current' : 'ahead',
          ...(doneAt === undefined ? {} : { doneAt }),
          readOnly: step.checks.length === 0,
          checks: step.checks.map((check) => this.stateOf(check, doneAt !== undefined)),
        };
      }),
      current: current?.id ?? null,
      done: current === undefined,
    };
  }

  progress(): LabProgress {
    return { version: 1, done: Object.fromEntries(this.done), placed: [...this.placed] };
  }

  private stateOf(check: Check, isDone: boolean): CheckState {
    if (isDone) return { title: check.title, kind: check.kind, status: 'passed' };
    return this.states.get(check) ?? waitingState(check);
  }

  private currentStep(): Step | undefined {
    return this.lab.steps.find(({ id }) => !this.done.has(id));
  }

  private notice(host: string, activity: Activity): void {
    if (activity.kind === 'terminal') {
      this.markStale((interests) => interests.terminal);
    } else if (activity.kind === 'docker') {
      const { Type, Action } = activity.event;
      // exec and top change nothing that a check sees, and checks cause them themselves
      if (!/^(exec_|top|attach|resize)/.test(Action)) this.markStale(({ docker }) => docker.includes(Type));
    } else {
      this.noticeState(host, activity.state);
    }
  }

  private noticeState(host: string, state: Extract<Activity, { kind: 'sandbox' }>['state']): void {
    if (state === 'running' || state === 'reset') this.away.delete(host);
    else this.away.add(host);
    if (state === 'reset') {
      this.era += 1;
      this.placed.clear();
      this.emit({ progress: true });
    }
    this.refresh();
  }

  private poll(): void {
    this.markStale(({ poll }) => poll);
    // what could not be evaluated is tried again
    this.markStale((_, state) => state === undefined || state.status === 'unknown');
  }

  private markStale(isMeant: (interests: Interests, state: CheckState | undefined) => boolean): void {
    const step = this.currentStep();
    if (!step || this.away.size > 0) return;
    const meant = step.checks.filter((check) => isMeant(check.interests, this.states.get(check)));
    for (const check of meant) this.stale.add(check);
    if (meant.length > 0 || !this.isPlaced()) this.scheduler.request();
  }

  /** Evaluates what is stale of the current step, and goes on to the next step for as long as steps are done. */
  private async evaluateCurrent(): Promise<void> {
    const { era } = this;
    try {
      await this.placeFiles(era);
      for (let step = this.currentStep(); step && this.isCurrent(era); step = this.currentStep()) {
        const stale = step.checks.filter((check) => this.stale.delete(check));
        if (stale.length === 0) break;
        if (!(await this.evaluate(stale, era))) break;
        const rest = step.checks.filter((check) => !stale.includes(check));
        if (!this.allPassed(step)) break;
        // all at the same time: one that passed a while ago may have changed without an event
        if (rest.length > 0 && !(await this.evaluate(rest, era))) break;
        if (!this.allPassed(step)) break;
        this.tick(step);
        await this.placeFiles(era);
      }
    } catch (error) {
      if (this.over.signal.aborted) return;
      this.onError(error);
    }
  }

  private async evaluate(checks: readonly Check[], era: number): Promise<boolean> {
    const states = await evaluateChecks(checks, this.hosts, this.over.signal);
    if (!this.isCurrent(era)) return false;
    const before = JSON.stringify(checks.map((check) => this.states.get(check)));
    checks.forEach((check, index) => {
      const state = states[index];
      if (state) this.states.set(check, state);
    });
    if (JSON.stringify(states) !== before) this.emit({ progress: false });
    return true;
  }

  private allPassed(step: Step): boolean {
    return (
      step.checks.length > 0 && step.checks.every((check) => this.states.get(check)?.status === 'passed')
    );
  }

  private tick(step: Step): void {
    this.done.set(step.id, new Date().toISOString());
    this.emit({ progress: true });
    this.refresh();
  }

  private isCurrent(era: number): boolean {
    return era === this.era && !this.over.signal.aborted;
  }

  /** The steps so far whose files are not in the lab host yet. */
  private unplaced(): Step[] {
    const current = this.currentStep();
    const begun = current ? this.lab.steps.slice(0, this.lab.steps.indexOf(current) + 1) : [];
    return begun.filter(({ id, files }) => files.length > 0 && !this.placed.has(id));
  }

  private isPlaced(): boolean {
    return this.unplaced().length === 0;
  }

  private async placeFiles(era: number): Promise<void> {
    for (const step of this.unplaced()) {
      for (const { path, content, mode, on } of step.files) {
        await this.hosts.get(on).writeFile(path, content, mode, this.over.signal);
      }
      if (!this.isCurrent(era)) return;
      this.placed.add(step.id);
      this.emit({ progress: true });
    }
  }

  private emit(change: RunChange): void {
    for (const listener of this.listeners) listener(change);
  }
}
