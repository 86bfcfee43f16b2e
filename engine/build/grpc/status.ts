// How gRPC says that a call went wrong: status codes, and errors that carry one over the wire.

import { EngineError, messageOf } from '../../errors.ts';
import { bytes, inner, int, list, message, text } from '../proto/message.ts';

/** grpc.status codes (grpc/doc/statuscodes.md). */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** More about an error, as google.protobuf.Any. */
export interface Detail {
  type_url: string;
  value: Buffer;
}

const Any = message({ type_url: text(1), value: bytes(2) });
/** google.rpc.Status, which `grpc-status-details-bin` carries and Return reports. */
export const RpcStatus = message({ code: int(1), message: text(2), details: list(inner(Any), 3) });

/** A call's end that is not OK. */
export class GrpcError extends Error {
  constructor(
    readonly code: number,
    message: string,
    readonly details: readonly Detail[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'GrpcError';
  }
}

/** Anything thrown, as the error that a client is told. As BuildKit's own errors: UNKNOWN, so that clients print the words only. */
export function toGrpcError(error: unknown): GrpcError {
  if (error instanceof GrpcError) return error;
  const isCancel = error instanceof EngineError && error.status === 499;
  return isCancel
    ? new GrpcError(Code.CANCELLED, 'context canceled', [], { cause: error })
    : new GrpcError(Code.UNKNOWN, messageOf(error), [], { cause: error });
}

/** `grpc-message`: what is not printable ASCII is percent-encoded. */
export function encodeMessage(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x25
        ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
        : String.fromCharCode(byte),
    )
    .join('');
}

export function decodeMessage(text: string): string {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const hex = text[at] === '%' ? /^[0-9a-fA-F]{2}/.exec(text.slice(at + 1, at + 3))?.[0] : undefined;
    bytes.push(hex === undefined ? text.charCodeAt(at) & 0xff : Number.parseInt(hex, 16));
    if (hex !== undefined) at += 2;
  }
  return Buffer.from(bytes).toString('utf8');
}

/** Trailers that end a call. */
export function statusTrailers(error: GrpcError | undefined): Record<string, string> {
  if (!error) return { 'grpc-status': '0' };
  const status = { code: error.code, message: error.message, details: [...error.details] };
  return {
    'grpc-status': String(error.code),
    'grpc-message': encodeMessage(error.message),
    ...(error.details.length > 0
      ? { 'grpc-status-details-bin': RpcStatus.encode(status).toString('base64') }
      : {}),
  };
}
