// Which page an address means, and moving between pages without loading them anew.

export type Route = { page: 'labs' } | { page: 'lesson'; slug: string } | { page: 'unknown' };

/** Reads the path of an address. */
export function routeOf(path: string): Route {
  if (path === '/') return { page: 'labs' };
  const slug = /^\/labs\/([a-z0-9][a-z0-9-]{0,63})\/?$/.exec(path)?.[1];
  return slug ? { page: 'lesson', slug } : { page: 'unknown' };
}

/** Follows links within the application; returns the function that stops it. */
export function followLinks(onRoute: (route: Route) => void): () => void {
  const tell = () => onRoute(routeOf(location.pathname));
  const onClick = (event: MouseEvent) => {
    const link = event.composedPath().find((each) => each instanceof HTMLAnchorElement);
    if (!link || !isPlainClick(event) || link.target || link.origin !== location.origin) return;
    const path = new URL(link.href).pathname;
    if (routeOf(path).page === 'unknown') return;
    event.preventDefault();
    if (path !== location.pathname) history.pushState(null, '', path);
    tell();
    scrollTo(0, 0);
  };
  addEventListener('click', onClick);
  addEventListener('popstate', tell);
  return () => {
    removeEventListener('click', onClick);
    removeEventListener('popstate', tell);
  };
}

function isPlainClick(event: MouseEvent): boolean {
  return (
    event.button === 0 &&
    !event.defaultPrevented &&
    !event.ctrlKey &&
    !event.metaKey &&
    !event.shiftKey &&
    !event.altKey
  );
}
