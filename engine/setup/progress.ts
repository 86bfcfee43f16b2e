// Progress of set-up for a person who waits: what is being done, how far, for how long.

const BEAT = 500;
/** Where output is a file or a pipe, a line now and then instead of one that moves. */
const PLAIN_BEAT = 10_000;

interface Active {
  number: number;
  name: string;
  detail: string;
  since: number;
}

/** Shows numbered steps, several of them at once if need be, on a terminal or in a log. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #total: number;
  readonly #active = new Set<Active>();
  readonly #timer: NodeJS.Timeout;
  #started = 0;
  #hasMovingLine = false;

  constructor(out: NodeJS.WriteStream, total: number) {
    this.#out = out;
    this.#total = total;
    this.#timer = setInterval(() => this.#beat(), out.isTTY ? BEAT : PLAIN_BEAT);
    this.#timer.unref();
  }

  /** Runs one step under a name. `work` tells how far it is. */
  async step(name: string, work: (report: (detail: string) => void) => Promise<void>): Promise<void> {
    const active: Active = { number: ++this.#started, name, detail: '', since: Date.now() };
    this.#active.add(active);
    if (!this.#out.isTTY) this.#line(`[${active.number}/${this.#total}] ${name} …`);
    this.#beat(true);
    try {
      await work((detail) => {
        active.detail = detail;
      });
      this.#active.delete(active);
      this.#line(`[${active.number}/${this.#total}] ${name}: done in ${seconds(active.since)}`);
    } catch (error) {
      this.#active.delete(active);
      this.#line(`[${active.number}/${this.#total}] ${name}: failed after ${seconds(active.since)}`);
      throw error;
    }
  }

  /** Stops the clock and clears the moving line. */
  end(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #beat(onlyMoving = false): void {
    if (this.#out.isTTY) {
      const parts = [...this.#active].map((step) => `[${step.number}/${this.#total}] ${describe(step)}`);
      this.#clear();
      if (parts.length === 0) return;
      this.#out.write(parts.join('  ').slice(0, (this.#out.columns || 80) - 1));
      this.#hasMovingLine = true;
    } else if (!onlyMoving) {
      for (const step of this.#active) this.#line(`[${step.number}/${this.#total}] ${describe(step)}`);
    }
  }

  #line(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  #clear(): void {
    if (!this.#hasMovingLine) return;
    this.#out.write('\r\x1b[K');
    this.#hasMovingLine = false;
  }
}

function describe({ name, detail, since }: Active): string {
  return `${name}${detail === '' ? '' : ` (${detail})`} ${seconds(since)}`;
}

function seconds(since: number): string {
  return `${Math.round((Date.now() - since) / 1000)} s`;
}
