// The JSON API of the page: routes decode, call, encode.

import express, { type Request, Router } from 'express';
import { z } from 'zod';
import { CreateTerminal } from '../../engine/client/types.ts';
import type { LoadedLab } from '../../labs/load.ts';
import { renderLab } from '../../labs/render/render.ts';
import { HttpError } from '../errors.ts';
import type { LabShelf } from '../lab/shelf.ts';
import type { LabPage, LabSummary } from '../protocol.ts';
import type { SessionBook } from '../session/book.ts';
import type { Session } from '../session/session.ts';

const OpenSession = z.strictObject({ lab: z.string().max(64) });
const Reset = z.strictObject({ forget: z.boolean() });
const NewTerminal = CreateTerminal.pick({ id: true, rows: true, cols: true }).strict();

export interface ApiParts {
  shelf: LabShelf;
  sessions: SessionBook;
  /** host name and port of a preview */
  previewHost(session: string, port: number | '{port}'): string;
}

/** Routes under /api. */
export function createApi(parts: ApiParts): Router {
  const { shelf, sessions } = parts;
  const api = Router();
  api.use(express.json({ limit: '16kb' }));

  api.get('/labs', async (_request, response) => {
    response.json(await Promise.all(shelf.list().map((lab) => summaryOf(lab, sessions))));
  });
  api.get('/labs/:slug', async (request, response) => {
    const lab = await shelf.fresh(request.params.slug);
    if (!lab) throw new HttpError(404, `there is no lesson ${request.params.slug}`);
    response.json(pageOf(lab, parts));
  });

  api.post('/sessions', async (request, response) => {
    const { lab } = parse(OpenSession, request);
    const session = await sessions.enter(lab);
    if (!session) throw new HttpError(404, `there is no lesson ${lab}`);
    response.status(201).json(session.info());
  });
  api.get('/sessions/:id', async (request, response) => {
    response.json((await find(sessions, request)).info());
  });
  api.post('/sessions/:id/reset', async (request, response) => {
    const { forget } = parse(Reset, request);
    const session = await find(sessions, request);
    await session.reset(forget);
    response.json(session.info());
  });
  api.post('/sessions/:id/thaw', async (request, response) => {
    const session = await find(sessions, request);
    await session.thaw();
    response.json(session.info());
  });
  api.post('/sessions/:id/check', async (request, response) => {
    (await find(sessions, request)).check();
    response.status(202).json({});
  });
  api.post('/sessions/:id/steps/:step/acknowledge', async (request, response) => {
    const session = await find(sessions, request);
    session.acknowledge(request.params.step);
    response.json(session.run());
  });

  api.get('/sessions/:id/terminals', async (request, response) => {
    response.json(await (await find(sessions, request)).terminals.list());
  });
  api.post('/sessions/:id/terminals', async (request, response) => {
    const { id, rows, cols } = parse(NewTerminal, request);
    const session = await find(sessions, request);
    response.status(201).json(await session.terminals.create(id, { rows, cols }));
  });
  api.delete('/sessions/:id/terminals/:terminal', async (request, response) => {
    const id = CreateTerminal.shape.id.safeParse(request.params.terminal);
    if (!id.success) throw new HttpError(400, 'not the id of a terminal');
    await (await find(sessions, request)).terminals.remove(id.data);
    response.status(204).end();
  });

  api.use(() => {
    throw new HttpError(404, 'no such address');
  });
  return api;
}

function parse<Schema extends z.ZodType>(schema: Schema, request: Request): z.output<Schema> {
  const result = schema.safeParse(request.body);
  if (result.success) return result.data;
  const lines = result.error.issues.map(({ path, message }) => [...path, message].join(': '));
  throw new HttpError(400, lines.join('; '));
}

async function find(sessions: SessionBook, request: Request<{ id: string }>): Promise<Session> {
  const session = await sessions.find(request.params.id);
  if (!session) throw new HttpError(404, `there is no session ${request.params.id}`);
  return session;
}

async function summaryOf(loaded: LoadedLab, sessions: SessionBook): Promise<LabSummary> {
  const { slug, lab } = loaded;
  const { title, summary, minutes, difficulty, steps } = lab;
  return { slug, title, summary, minutes, difficulty, steps: steps.length, done: await sessions.done(slug) };
}

function pageOf(loaded: LoadedLab, { shelf, previewHost }: ApiParts): LabPage {
  const { slug, lab } = loaded;
  const next = shelf.next(slug);
  return {
    slug,
    title: lab.title,
    summary: lab.summary,
    minutes: lab.minutes,
    ...renderLab(lab, {
      previewHref: (port, path) => `http://${previewHost(slug, port)}${path}`,
      assetHref: (path) => `/labs/${slug}/files/${path}`,
    }),
    hosts: [...lab.hosts],
    ports: lab.ports.map(({ port, title }) => ({ port, title })),
    next: next ? { slug: next.slug, title: next.lab.title } : null,
    previewTemplate: `http://${previewHost(slug, '{port}')}/`,
  };
}
