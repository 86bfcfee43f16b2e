// The buttons under a lesson's code, found by the attributes that the renderer gives them: one listener for all.

/** Milliseconds that a button says that it has copied. */
const THANKS = 1600;

/** A click listener for rendered text: copies, or fires `run-command` with the command as detail. */
export function onCodeButton(event: Event): void {
  const button = event.composedPath().find((each) => each instanceof HTMLButtonElement);
  if (!button) return;
  const { run, copy } = button.dataset;
  if (run !== undefined) {
    button.dispatchEvent(new CustomEvent('run-command', { detail: run, bubbles: true, composed: true }));
  } else if (copy !== undefined) {
    navigator.clipboard.writeText(copy).then(
      () => say(button, 'Copied'),
      () => say(button, 'Not allowed'),
    );
  }
}

function say(button: HTMLButtonElement, text: string): void {
  button.dataset.label ??= button.textContent;
  button.textContent = text;
  setTimeout(() => {
    button.textContent = button.dataset.label ?? 'Copy';
  }, THANKS);
}
