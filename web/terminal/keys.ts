// Keys that are not for the program in the terminal: copying, and the way out for people without a mouse.

import type { Terminal } from '@xterm/xterm';

/** xterm's custom key handler: false keeps the key from the program. Pasting (Ctrl+Shift+V) is the browser's own. */
export function handleKey(event: KeyboardEvent, terminal: Terminal, leave: () => void): boolean {
  if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
  if (event.code === 'KeyV') return false;
  if (event.code === 'KeyC') {
    // without this the browser opens its developer tools
    event.preventDefault();
    if (event.type === 'keydown' && terminal.hasSelection()) copy(terminal.getSelection());
    return false;
  }
  if (event.code === 'Period') {
    event.preventDefault();
    if (event.type === 'keydown') leave();
    return false;
  }
  return true;
}

function copy(text: string): void {
  // refused when the page has no right to the clipboard; the browser's own menu still copies
  navigator.clipboard.writeText(text).catch(() => undefined);
}
