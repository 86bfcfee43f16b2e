// Ids and names of containers: how they are made, what is valid, and how a user's short form finds its container.

import { randomBytes, randomInt } from 'node:crypto';
import { InvalidParameter } from '../errors.ts';

/** 64 hex digits. Never all decimal in the first twelve, since the short id becomes a hostname (as Docker does). */
export function newId(): string {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d{12}/.test(id)) return id;
  }
}

/** Docker sets no limit; a name is also a host name at most. */
const MAX_NAME = 253;
const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Checks a name from a user and drops its slash. Throws InvalidParameter in Docker's words. */
export function validName(name: string): string {
  if (name.length > MAX_NAME || !NAME.test(name)) {
    throw new InvalidParameter(
      `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  }
  return name.replace(/^\//, '');
}

const ADJECTIVES =
  'able amber apt azure bold brave brisk calm candid clear clever coral crisp deft eager early fair fleet fond frank fresh glad golden grand hardy jolly keen kind lively loyal lucid mellow merry mild modest neat nimble noble patient placid plucky polite prime proud quick quiet ready rosy salty sandy serene sharp silver sleek smart snug sober solid spry steady still stout sunny swift tidal tidy trim true trusty upbeat vivid warm wavy wise witty zesty'.split(
    ' ',
  );
const NOUNS =
  'anchor barge beacon bollard bowline brig buoy canoe capstan catamaran clipper coaster cog compass coracle crane current cutter dhow dinghy dock drifter estuary ferry fjord frigate galleon galley gull harbor heron hull isle jetty junk kayak keel ketch lagoon lantern lighter lugger mast mooring narwhal oar otter outrigger pelican pier pilot pinnace port prow puffin punt quay raft reef rigger rudder sampan schooner sextant skiff sloop spar steamer strand tender tern tide trawler tug wharf wherry yacht yawl'.split(
    ' ',
  );

/** A name for a container that was given none. After some tries that are taken it gets a number. */
export function randomName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const base = `${ADJECTIVES[randomInt(ADJECTIVES.length)]}_${NOUNS[randomInt(NOUNS.length)]}`;
    const name = attempt < 6 ? base : `${base}${randomInt(1000 * attempt)}`;
    if (!isTaken(name)) return name;
  }
}
