#!/usr/bin/env node
// Builds what runs: dist/engine.js, dist/server.js, dist/berth.js and dist/web. usage: build.mjs [engine|server|berth|web]…

import path from 'node:path';
import { fileURLToPath } from 'node:url';

const project = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
process.chdir(project);

/** Programs for Node, each one file that needs no node_modules beside it. */
const PROGRAMS = {
  engine: 'engine/main.ts',
  server: 'server/main.ts',
  berth: 'engine/cli/main.ts',
};

/** Some packages are CommonJS and ask for Node's own modules with require. */
const BANNER =
  "import { createRequire as berthCreateRequire } from 'node:module'; const require = berthCreateRequire(import.meta.url);";

const chosen = process.argv.slice(2);
for (const name of chosen.length > 0 ? chosen : [...Object.keys(PROGRAMS), 'web']) {
  const started = Date.now();
  if (name === 'web') await buildWeb();
  else if (name in PROGRAMS) await buildProgram(name);
  else throw new Error(`${name} is not one of ${Object.keys(PROGRAMS).join(', ')}, web`);
  console.log(
    `dist/${name === 'web' ? 'web' : `${name}.js`}: built in ${((Date.now() - started) / 1000).toFixed(1)} s`,
  );
}

async function buildProgram(name) {
  const esbuild = await import('esbuild');
  await esbuild.build({
    entryPoints: [PROGRAMS[name]],
    outfile: `dist/${name}.js`,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'bundle',
    sourcemap: true,
    legalComments: 'none',
    logLevel: 'warning',
    banner: { js: BANNER },
  });
}

async function buildWeb() {
  const vite = await import('vite');
  await vite.build({ configFile: 'web/vite.config.ts', logLevel: 'warn' });
}
