// What the server tells a page about its session, kept up to date for an element.

import type { ReactiveController, ReactiveControllerHost } from 'lit';
import {
  type LiveMessage,
  PATHS,
  type RunView,
  type SessionInfo,
  type TerminalView,
} from '../../server/protocol.ts';
import { ReconnectingSocket } from './reconnecting-socket.ts';

/** Follows one session while its element is in the page. */
export class LiveController implements ReactiveController {
  session: SessionInfo | undefined;
  run: RunView | undefined;
  terminals: TerminalView[] | undefined;
  /** false: the server does not answer, what is shown may be old */
  isConnected = false;
  private socket: ReconnectingSocket | undefined;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly onRun: (run: RunView, before: RunView | undefined) => void,
  ) {
    host.addController(this);
  }

  /** Follows this session, and no longer the one before. */
  follow(session: string): void {
    this.stop();
    this.socket = new ReconnectingSocket(PATHS.live(session), {
      onOpen: () => {
        this.isConnected = true;
        this.host.requestUpdate();
      },
      onMessage: (message) => {
        if (!(message instanceof Uint8Array)) this.take(message as LiveMessage);
      },
      onClose: () => {
        this.isConnected = false;
        this.host.requestUpdate();
        return true;
      },
    });
  }

  hostDisconnected(): void {
    this.stop();
  }

  private stop(): void {
    this.socket?.close();
    this.socket = undefined;
    this.session = undefined;
    this.run = undefined;
    this.terminals = undefined;
    this.isConnected = false;
  }

  private take(message: LiveMessage): void {
    if (message.type === 'session') this.session = message.session;
    else if (message.type === 'terminals') this.terminals = message.terminals;
    else if (message.type === 'run') {
      const before = this.run;
      this.run = message.run;
      this.onRun(message.run, before);
    }
    this.host.requestUpdate();
  }
}
