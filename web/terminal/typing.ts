// Types a command into a terminal as a person would: visibly, and a line only when the one before has said what it says.

/** What can be typed into; `quiet` resolves when nothing has been written to the screen for a moment. */
export interface Keyboard {
  send(text: string): void;
  quiet(signal: AbortSignal): Promise<void>;
}

/** Milliseconds for a whole line, at most. */
const LINE_TIME = 500;
const KEY_TIME = 14;

/** Kills what stands on the line already, as Ctrl+U does in shells. */
const CLEAR_LINE = '\x15';

/** Types every line and presses Enter after it. Aborting leaves what has been typed. */
export async function typeCommand(keyboard: Keyboard, command: string, signal: AbortSignal): Promise<void> {
  const lines = command.replace(/\r/g, '').split('\n');
  keyboard.send(CLEAR_LINE);
  for (const [index, line] of lines.entries()) {
    if (index > 0) await keyboard.quiet(signal);
    for (const piece of piecesOf(line)) {
      if (signal.aborted) return;
      keyboard.send(piece);
      await pause(KEY_TIME);
    }
    if (signal.aborted) return;
    keyboard.send('\r');
  }
}

/** One letter each, or several when the line is long. */
export function piecesOf(line: string): string[] {
  const letters = Array.from(line);
  const size = Math.max(1, Math.ceil((letters.length * KEY_TIME) / LINE_TIME));
  const count = Math.ceil(letters.length / size);
  return Array.from({ length: count }, (_, index) =>
    letters.slice(index * size, (index + 1) * size).join(''),
  );
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
