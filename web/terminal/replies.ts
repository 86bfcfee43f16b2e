// Answers that a terminal gives to questions in its output. Questions in replayed output were answered long ago.

const ESC = '\\u001b';
const BEL = '\\u0007';
/** device attributes, status and position reports, mode reports, DCS and OSC strings */
const KINDS = [
  `${ESC}\\[[?>=]?[\\d;]*(?:[cnR]|\\$y)`,
  `${ESC}P[\\s\\S]*${ESC}\\\\`,
  `${ESC}\\][\\s\\S]*(?:${BEL}|${ESC}\\\\)`,
];
const REPLY = new RegExp(`^(?:${KINDS.join('|')})+$`);

/** Whether what xterm wants to send is such an answer, and not something typed (F3 with a modifier looks the same). */
export function isTerminalReply(data: string): boolean {
  return REPLY.test(data);
}
