// Two panes and a bar between them that is moved by mouse, touch or keys; stacked where there is no room beside each other.

import { css, html, LitElement } from 'lit';
import { controls } from '../styles/controls.ts';

const KEY = 'berth-split';
const SMALLEST = 25;
const LARGEST = 75;
const KEY_STEP = 2;

/** `<berth-split>`: slots `first` and `second`. */
export class SplitView extends LitElement {
  static override properties = { share: { state: true } };
  /** percent of the width that the first pane has */
  declare share: number;

  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, var(--share)) 7px minmax(0, 1fr);
        min-height: 0;
      }
      .bar {
        position: relative;
        background: var(--sunken);
        border-left: 1px solid var(--line);
        cursor: col-resize;
        touch-action: none;
        transition: background-color 0.12s;
      }
      .bar::after {
        content: "";
        position: absolute;
        inset: 0;
        margin: auto;
        width: 3px;
        height: 2.25rem;
        border-radius: 2px;
        background: var(--line-strong);
      }
      .bar:hover,
      .bar:focus-visible {
        background: var(--sea-ground);
      }
      .bar:focus-visible {
        outline-offset: -2px;
        z-index: 2;
      }
      ::slotted(*) {
        min-width: 0;
        min-height: 0;
      }
      @media (max-width: 48rem) {
        :host {
          display: block;
        }
        .bar {
          display: none;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.share = storedShare();
  }

  override render() {
    this.style.setProperty('--share', `${this.share}%`);
    return html`<slot name="first"></slot>
      <div
        class="bar"
        role="separator"
        tabindex="0"
        aria-orientation="vertical"
        aria-label="Width of the lesson’s text"
        aria-valuemin=${SMALLEST}
        aria-valuemax=${LARGEST}
        aria-valuenow=${Math.round(this.share)}
        @pointerdown=${this.grab}
        @pointermove=${this.drag}
        @keydown=${this.press}
        @dblclick=${() => this.set(42)}
      ></div>
      <slot name="second"></slot>`;
  }

  private grab(event: PointerEvent) {
    if (event.target instanceof HTMLElement) event.target.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  private drag(event: PointerEvent) {
    if (!(event.target instanceof HTMLElement) || !event.target.hasPointerCapture(event.pointerId)) return;
    const { left, width } = this.getBoundingClientRect();
    this.set(((event.clientX - left) / width) * 100);
  }

  private press(event: KeyboardEvent) {
    const steps: Record<string, number> = {
      ArrowLeft: this.share - KEY_STEP,
      ArrowRight: this.share + KEY_STEP,
      Home: SMALLEST,
      End: LARGEST,
    };
    const share = steps[event.key];
    if (share === undefined) return;
    event.preventDefault();
    this.set(share);
  }

  private set(share: number) {
    this.share = Math.min(LARGEST, Math.max(SMALLEST, share));
    try {
      localStorage.setItem(KEY, String(this.share));
    } catch {
      // kept for this page only
    }
  }
}

function storedShare(): number {
  try {
    const share = Number(localStorage.getItem(KEY));
    return share >= SMALLEST && share <= LARGEST ? share : 42;
  } catch {
    return 42;
  }
}

customElements.define('berth-split', SplitView);
