// A request to the Docker Engine API and how it is refused; containers and exec instances are named by what they are.

/**
 * `{run}`, `{new}`, `{dead}` and `{paused}` stand for containers, by name in a path and by id in a message; `{exec}` and
 * `{done}` for exec instances. Two statuses: Berth's, and that of dockerd 26.1, which calls some faults of the client its
 * own. A body that is a string is sent as it is.
 */
export type ApiCase = readonly [
  method: string,
  path: string,
  status: number | readonly [berth: number, dockerd: number],
  message: string,
  body?: unknown,
];
