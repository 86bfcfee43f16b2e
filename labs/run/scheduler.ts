// Decides when to evaluate: a little after something happened, one evaluation at a time, never all the time.

/** Milliseconds between things. */
export const PACE = {
  /** from the last thing that happened to the evaluation, so that a burst of events makes one */
  settle: 150,
  /** at most, from the first thing that happened, when they never stop */
  longestSettle: 600,
  /** a pause after each evaluation, as a multiple of its own duration: checks may cause events themselves */
  rest: 4,
  longestRest: 3000,
} as const;

/** Runs `work` after `request()`, see PACE. */
export class Scheduler {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | undefined;
  private firstRequest: number | undefined;
  private restUntil = 0;
  private isDisposed = false;

  /** `work` handles its own errors */
  constructor(private readonly work: () => Promise<void>) {}

  /** Something happened. */
  request(): void {
    if (this.isDisposed) return;
    const now = performance.now();
    this.firstRequest ??= now;
    if (this.running) return;
    const settled = Math.min(now + PACE.settle, this.firstRequest + PACE.longestSettle);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.begin(), Math.max(settled, this.restUntil) - now);
    this.timer.unref();
  }

  /** No more work begins; resolves when what is under way has ended. */
  async dispose(): Promise<void> {
    this.isDisposed = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private begin(): void {
    if (this.running) return;
    this.firstRequest = undefined;
    const began = performance.now();
    this.running = this.work().finally(() => {
      const now = performance.now();
      this.restUntil = now + Math.min((now - began) * PACE.rest, PACE.longestRest);
      this.running = undefined;
      if (this.firstRequest !== undefined) this.request();
    });
  }
}
