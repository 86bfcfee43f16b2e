// The family of errors that the engine's parts throw; api/ and control/ turn them into a response in one place.

/** An error with the HTTP status of the Docker Engine API (v1.47, every operation's `responses`). */
export class EngineError extends Error {
  constructor(
    /** HTTP status code that the API answers with. */
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** 400: the request is malformed or a value in it makes no sense. */
export class InvalidParameter extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(400, message, options);
  }
}

/** 403: understood, and refused. */
export class Forbidden extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(403, message, options);
  }
}

/** 404: no such object. */
export class NotFound extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(404, message, options);
  }
}

/** 409: the object's state or name is in the way. */
export class Conflict extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(409, message, options);
  }
}

/** 304: already in the wanted state; the API answers it without a body. */
export class NotModified extends EngineError {
  constructor(message = 'not modified') {
    super(304, message);
  }
}

/** 500: something that should have worked did not. */
export class SystemError extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(500, message, options);
  }
}

/** 501: Berth does not do this (yet); the message says so and what to do instead. */
export class NotImplemented extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(501, message, options);
  }
}

/** 502: a program inside the sandbox that was to be reached did not take the connection. */
export class BadGateway extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(502, message, options);
  }
}

/** 503: not now (sandbox is down or frozen; this node is not a swarm manager). */
export class Unavailable extends EngineError {
  constructor(message: string, options?: ErrorOptions) {
    super(503, message, options);
  }
}

/** The text to show of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
