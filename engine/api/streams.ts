// Output frames, and the pipe between a client's connection and a process's streams.

import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Attachment } from '../sandbox/init-types.ts';
import type { RawStream } from './call.ts';
import { DetachFilter } from './detach-keys.ts';

const STREAM_NUMBER = { stdout: 1, stderr: 2 } as const;

/** A frame of a multiplexed stream: its number, three zeros, the length. */
export function frame(stream: 'stdout' | 'stderr', data: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = STREAM_NUMBER[stream];
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

/** A frame of bytes that are held as a latin1 string, as such a string. */
export function latin1Frame(stream: 'stdout' | 'stderr', bytes: string): string {
  const { length } = bytes;
  const size = String.fromCharCode(length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
  return `${stream === 'stdout' ? '\x01' : '\x02'}\0\0\0${size}${bytes}`;
}

/** Writes, and waits while the client is slow. False when it is gone. */
export async function writeTo(output: Writable, data: Buffer, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted || output.destroyed || output.writableEnded) return false;
  if (output.write(data)) return true;
  try {
    await once(output, 'drain', { signal });
    return true;
  } catch {
    return false;
  }
}

export interface PipeOptions {
  /** of the process: output is not framed, and detach keys count */
  hasTerminal: boolean;
  /** not framed, whatever it has: the client cannot tell stdout from stderr */
  isMixed?: boolean;
  /** pass on the client's input */
  stdin: boolean;
  detachKeys: string;
  /** the client is gone */
  signal: AbortSignal;
}

/** How a pipe ended: the output's end, the client's detach keys, or the client's going. */
export type PipeEnd = 'ended' | 'detached' | 'gone';

/** Connects both until one side ends. The attachment is closed afterwards; the process goes on. */
export async function pipeAttachment(
  stream: RawStream,
  attachment: Attachment,
  options: PipeOptions,
): Promise<PipeEnd> {
  let isDetached = false;
  const stop = () => attachment.close();
  options.signal.addEventListener('abort', stop, { once: true });
  if (options.stdin) {
    pumpInput(stream, attachment, options, () => {
      isDetached = true;
      attachment.close();
    });
  } else {
    // Read on, or the end of the connection would not be noticed.
    stream.input.resume();
  }
  try {
    for await (const { stream: name, data } of attachment.output) {
      const bytes = options.hasTerminal || options.isMixed ? data : frame(name, data);
      if (!(await writeTo(stream.output, bytes, options.signal))) break;
    }
  } finally {
    options.signal.removeEventListener('abort', stop);
    attachment.close();
  }
  return isDetached ? 'detached' : options.signal.aborted ? 'gone' : 'ended';
}

function pumpInput(
  { input }: RawStream,
  attachment: Attachment,
  options: PipeOptions,
  onDetach: () => void,
): void {
  const filter = options.hasTerminal ? new DetachFilter(options.detachKeys) : undefined;
  input.on('data', (chunk: Buffer) => {
    const { data, isDetached } = filter?.push(chunk) ?? { data: chunk, isDetached: false };
    if (data.length > 0 && !attachment.stdin.write(data)) {
      input.pause();
      attachment.stdin.once('drain', () => input.resume());
    }
    if (isDetached) onDetach();
  });
  input.once('end', () => attachment.stdin.end());
  // `close` follows, and is what the call's signal tells
  input.on('error', () => undefined);
  input.resume();
}
