// The application's express app: security headers, the API, the built page, pictures of labs, errors.

import path from 'node:path';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { describeError, HttpError, messageOf } from '../errors.ts';
import type { Logger } from '../log.ts';
import { setSecurityHeaders } from '../security/headers.ts';
import { refusalOf } from '../security/origins.ts';
import { type ApiParts, createApi } from './api.ts';

/** Kinds of files that a lab's folder may give to a page. */
const PICTURES = /\.(?:png|jpe?g|gif|webp|avif|svg)$/i;

export interface AppParts extends ApiParts {
  webDir: string;
  log: Logger;
}

/** Answers everything that is not a preview and not a websocket. */
export function createApp(parts: AppParts): Express {
  const { webDir, shelf, log } = parts;
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', 'weak');
  app.use((_request, response, next) => {
    setSecurityHeaders(response);
    next();
  });
  app.use('/api', refuseForeign, (_request, response, next) => {
    response.setHeader('Cache-Control', 'no-store');
    next();
  });
  app.use('/api', createApi(parts));

  app.use(
    '/assets',
    express.static(path.join(webDir, 'assets'), {
      index: false,
      immutable: true,
      maxAge: '1y',
      fallthrough: false,
    }),
  );
  app.get('/labs/:slug/files/*path', (request, response, next) => {
    const lab = shelf.get(request.params.slug);
    const file = [request.params.path].flat().join('/');
    if (!lab || !PICTURES.test(file)) return next(new HttpError(404, 'no such picture'));
    // a picture that is opened as a page may be a script in an SVG
    response.setHeader('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    response.sendFile(file, { root: lab.directory, dotfiles: 'deny' }, (error) => error && next(error));
  });
  app.use(express.static(webDir, { index: false, maxAge: 0 }));
  app.get(['/', '/labs/:slug'], sendPage(webDir, 200));
  app.use(sendPage(webDir, 404));
  app.use(answerError(log));
  return app;
}

const refuseForeign: RequestHandler = (request, _response, next) => {
  const refusal = refusalOf(request, false);
  next(refusal ? new HttpError(403, refusal) : undefined);
};

/** The page itself finds out what the address means. */
function sendPage(webDir: string, status: number): RequestHandler {
  return (request, response, next) => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return next(new HttpError(405, 'not allowed here'));
    response.status(status).setHeader('Cache-Control', 'no-cache');
    response.sendFile('index.html', { root: webDir, cacheControl: false }, (error) => error && next(error));
  };
}

function answerError(log: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) return next(error);
    const { status, message } = describeError(error);
    if (status >= 500 && status !== 503) {
      log.error({ method: request.method, path: request.path, reason: messageOf(error) }, 'a request failed');
    }
    response.status(status).json({ message });
  };
}
