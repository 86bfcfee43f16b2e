// Who a container's process runs as: USER and --user resolved by the image's own passwd and group files.

import { InvalidParameter } from '../errors.ts';

/** A resolved user. */
export interface ProcessUser {
  uid: number;
  gid: number;
  additionalGids: number[];
  home: string;
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

const MAX_ID = 2 ** 31 - 1;

function parsePasswd(text: string): PasswdEntry[] {
  return fields(text).flatMap(([name = '', , uid, gid, , home = '']) =>
    isNumber(uid) && isNumber(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [],
  );
}

function parseGroup(text: string): GroupEntry[] {
  return fields(text).flatMap(([name = '', , gid, members = '']) =>
    isNumber(gid) ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }] : [],
  );
}

function fields(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.includes(':') && !line.startsWith('#'))
    .map((line) => line.trim().split(':'));
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text) && Number(text) <= MAX_ID;
}

/**
 * Resolves `user`, `uid`, `user:group` and their mixtures (opencontainers' GetExecUser). A numeric user or group need
 * not be in the files. Throws InvalidParameter in Docker's words for a name that is not.
 */
export function resolveUser(
  spec: string,
  passwdText: string,
  groupText: string,
  groupAdd: readonly string[] = [],
): ProcessUser {
  const colon = spec.indexOf(':');
  const userPart = (colon < 0 ? spec : spec.slice(0, colon)) || '0';
  const groupPart = colon < 0 ? '' : spec.slice(colon + 1);
  const passwd = parsePasswd(passwdText);
  const groups = parseGroup(groupText);
  const entry =
    passwd.find((each) => each.name === userPart) ??
    (isNumber(userPart) ? passwd.find((each) => each.uid === Number(userPart)) : undefined);
  if (!entry && !isNumber(userPart)) {
    throw new InvalidParameter(`unable to find user ${userPart}: no matching entries in passwd file`);
  }
  const uid = entry?.uid ?? Number(userPart);
  const explicitGid = groupPart === '' ? undefined : groupId(groupPart, groups);
  const memberships = entry ? groups.filter((group) => group.members.includes(entry.name)) : [];
  const gid = explicitGid ?? entry?.gid ?? 0;
  const additional = [
    // The primary group too, or a program that drops supplementary groups would gain access (CVE-2022-36109).
    gid,
    ...(explicitGid === undefined ? memberships.map((group) => group.gid) : []),
    ...groupAdd.map((name) => groupId(name, groups)),
  ];
  return {
    uid,
    gid,
    additionalGids: [...new Set(additional)],
    home: entry?.home || '/',
  };
}

function groupId(name: string, groups: readonly GroupEntry[]): number {
  const entry = groups.find((group) => group.name === name);
  if (entry) return entry.gid;
  if (isNumber(name)) return Number(name);
  throw new InvalidParameter(`Unable to find group ${name}: no matching entries in group file`);
}
