// The root element: it shows the page that the address means.

import { html, LitElement } from 'lit';
import '../course/lab-list.ts';
import '../lesson/lesson-page.ts';
import './not-found.ts';
import { followLinks, type Route, routeOf } from './router.ts';

/** `<berth-app>` */
export class BerthApp extends LitElement {
  static override properties = { route: { state: true } };
  declare route: Route;
  private stop: (() => void) | undefined;

  constructor() {
    super();
    this.route = routeOf(location.pathname);
  }

  /** Pages have shadow roots of their own; the root element needs none. */
  protected override createRenderRoot() {
    return this;
  }

  override connectedCallback() {
    super.connectedCallback();
    this.stop = followLinks((route) => {
      this.route = route;
    });
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.stop?.();
  }

  override render() {
    if (this.route.page === 'labs') return html`<berth-lab-list></berth-lab-list>`;
    if (this.route.page === 'lesson') return html`<berth-lesson .slug=${this.route.slug}></berth-lesson>`;
    return html`<berth-not-found></berth-not-found>`;
  }
}

customElements.define('berth-app', BerthApp);
