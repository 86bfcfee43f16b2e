import { describe, expect, it } from 'vitest';
import { ImageRecipe, type Recipe } from './recipe.ts';
import { wantedImages } from './setup.ts';

function recipe(name: string, extra: object = {}): Recipe<ImageRecipe> {
  const data = ImageRecipe.parse({ description: name, references: [`${name}:latest`], config: {}, ...extra });
  return { name, folder: `/recipes/${name}`, data, hash: name };
}

const RECIPES = [
  recipe('base'),
  recipe('compiler', { from: 'base', optional: true }),
  recipe('kit', { from: 'compiler', optional: true }),
  recipe('web', { from: 'base' }),
];
const names = (built: string[], options: { withTests?: boolean; images?: readonly string[] | 'all' }) =>
  wantedImages(RECIPES, new Set(built), { withTests: false, ...options }).map(({ name }) => name);

describe('the images that set-up builds', () => {
  it('are those that are not optional', () => {
    expect(names([], {})).toEqual(['base', 'web']);
  });

  it('are all for tests, and where all are asked for', () => {
    expect(names([], { withTests: true })).toEqual(['base', 'compiler', 'kit', 'web']);
    expect(names([], { images: 'all' })).toEqual(['base', 'compiler', 'kit', 'web']);
  });

  it('are those named, what they are built on, and what was built before', () => {
    expect(names([], { images: ['kit'] })).toEqual(['base', 'compiler', 'kit', 'web']);
    expect(names(['compiler'], {})).toEqual(['base', 'compiler', 'web']);
  });

  it('must have a recipe', () => {
    expect(() => names([], { images: ['kti'] })).toThrow(/no recipe for kti; there are: base, compiler/);
  });
});
