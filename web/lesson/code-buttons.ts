// The buttons under a lesson's code, found by the attributes that the renderer gives them: one listener for all.

/** Milliseconds that a button says that it has copied. */
const THANKS = 1600;

/** A command to type into a terminal, and the lab host it is for; undefined is the first. */
export interface RunCommand {
  command: string;
  host: string | undefined;
}

/** A click listener for rendered text: copies, or fires `run-command` with a RunCommand as detail. */
export function onCodeButton(event: Event): void {
  const button = event.composedPath().find((each) => each instanceof HTMLButtonElement);
  if (!button) return;
  const { run, on, copy } = button.dataset;
  if (run !== undefined) {
    const detail: RunCommand = { command: run, host: on };
    button.dispatchEvent(new CustomEvent('run-command', { detail, bubbles: true, composed: true }));
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
