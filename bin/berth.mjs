#!/usr/bin/env node
// The `berth` command before anything is installed: gets npm packages, builds what is older than its sources, and hands over.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_WANTED = [20, 19];
const NEEDS_ROOT = new Set(['start', 'up', 'setup', 'test', 'bench']);
/** What the bundles are made from. */
const SOURCES = ['engine', 'labs', 'server', 'web', 'bin/build.mjs', 'package-lock.json', 'tsconfig.json'];

const project = path.dirname(path.dirname(fs.realpathSync(fileURLToPath(import.meta.url))));

main();

async function main() {
  const args = process.argv.slice(2);
  checkNode();
  if (NEEDS_ROOT.has(args[0]) && !args.includes('--help') && process.getuid?.() !== 0) {
    fail(
      `berth ${args[0]} needs root: it makes namespaces, mounts and cgroups. Try: sudo npx berth ${args[0]}`,
    );
  }
  installPackages();
  buildIfOlder();
  process.env.BERTH_PROJECT = project;
  await import(pathToFileURL(path.join(project, 'dist/berth.js')).href);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_WANTED[0] || (major === NODE_WANTED[0] && minor >= NODE_WANTED[1])) return;
  fail(
    `Berth needs Node ${NODE_WANTED.join('.')} or newer; this is ${process.versions.node}. See https://nodejs.org`,
  );
}

function installPackages() {
  if (packagesAreInstalled()) return;
  // No package's own script is needed: what they would compile is optional, and takes a compiler and most of the time.
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts'];
  const what = 'installing npm packages';
  if (attempt(what, ['npm', 'ci', ...quiet]).ok) return;
  // npm ci refuses a lock file that lacks optional packages of other platforms; install goes by the same lock file.
  const second = attempt(`${what} by npm install`, ['npm', 'install', '--no-save', ...quiet]);
  if (!second.ok) fail(`${second.output}${what} failed`);
}

/** Whether what npm says it installed is what the lock file wants, optional packages of other platforms aside. */
function packagesAreInstalled() {
  const wanted = readJson('package-lock.json')?.packages ?? {};
  const installed = readJson('node_modules/.package-lock.json')?.packages;
  if (!installed) return false;
  return Object.entries(wanted).every(([name, { version, optional }]) => {
    if (name === '') return true;
    const found = installed[name];
    return found ? found.version === version : optional === true;
  });
}

function buildIfOlder() {
  const stamp = path.join(project, 'dist/.sources');
  const sources = fingerprint();
  if (readText(stamp) === sources) return;
  const what = 'building engine, server and web application';
  const result = attempt(what, [process.execPath, path.join(project, 'bin/build.mjs')]);
  if (!result.ok) fail(`${result.output}${what} failed`);
  fs.writeFileSync(stamp, sources);
}

/** Names, sizes and times of all sources: cheap, and different after every change that matters. */
function fingerprint() {
  const hash = createHash('sha256');
  const visit = (file) => {
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (!stat) return;
    if (!stat.isDirectory()) hash.update(`${file}\0${stat.size}\0${stat.mtimeMs}\0`);
    else for (const name of fs.readdirSync(file).sort()) visit(path.join(file, name));
  };
  for (const source of SOURCES) visit(path.join(project, source));
  return hash.digest('hex');
}

/** Runs a program and says how long it took. */
function attempt(what, [file, ...args]) {
  const started = Date.now();
  process.stderr.write(`${what} …\n`);
  const result = spawnSync(file, args, { cwd: project, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  const ok = result.status === 0;
  if (ok) process.stderr.write(`${what}: done in ${Math.round((Date.now() - started) / 1000)} s\n`);
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ? `${result.error.message}\n` : ''}`;
  return { ok, output };
}

function readJson(name) {
  const text = readText(path.join(project, name));
  return text === undefined ? undefined : JSON.parse(text);
}

function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function fail(message) {
  process.stderr.write(`berth: ${message}\n`);
  process.exit(1);
}
