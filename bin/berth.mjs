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
  const modules = path.join(project, 'node_modules');
  const stamp = path.join(modules, '.berth-lock');
  const lock = createHash('sha256')
    .update(fs.readFileSync(path.join(project, 'package-lock.json')))
    .digest('hex');
  if (readText(stamp) === lock) return;
  timed('installing npm packages', ['npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error']);
  fs.writeFileSync(stamp, lock);
}

function buildIfOlder() {
  const stamp = path.join(project, 'dist/.sources');
  const sources = fingerprint();
  if (readText(stamp) === sources) return;
  timed('building engine, server and web application', [
    process.execPath,
    path.join(project, 'bin/build.mjs'),
  ]);
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

/** Runs a program; its output is shown only if it fails. */
function timed(what, [file, ...args]) {
  const started = Date.now();
  process.stderr.write(`${what} …\n`);
  const result = spawnSync(file, args, { cwd: project, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  const seconds = Math.round((Date.now() - started) / 1000);
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
    fail(`${what} failed after ${seconds} s${result.error ? `: ${result.error.message}` : ''}`);
  }
  process.stderr.write(`${what}: done in ${seconds} s\n`);
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
