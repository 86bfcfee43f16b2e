import { describe, expect, it } from 'vitest';
import { expandWord, expandWords, WORD_MAX } from './word.ts';

const values: Record<string, string> = { x: 'abcabc', path: '/a/b/c.tar.gz', empty: '' };
const lookup = (name: string) => (Object.hasOwn(values, name) ? values[name] : undefined);
const expand = (word: string) => expandWord(word, { escape: '\\', lookup }).text;

describe('the words of a Dockerfile', () => {
  it('lose quotes and escapes', () => {
    expect(expand(`a"b 'c'"'d "e"'\\f`)).toBe(`ab 'c'd "e"f`);
    expect(expandWord('`$x', { escape: '`', lookup }).text).toBe('$x');
  });

  it('have variables with modifiers', () => {
    const cases: Record<string, string> = {
      // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the shell's braces, not JavaScript's
      '$x-${x}': 'abcabc-abcabc',
      '${no:-y}${empty-z}${empty:-z}': 'yz',
      '${x:+s}${no+t}${empty+u}${empty:+v}': 'su',
      '${path#*/}': 'a/b/c.tar.gz',
      '${path##*/}': 'c.tar.gz',
      '${path%.*}': '/a/b/c.tar',
      '${path%%.*}': '/a/b/c',
      '${x/b/_}': 'a_cabc',
      '${x//b/_}': 'a_ca_c',
      '${x//b?/_}': 'a_a_',
      '${x//a*c/_}': '_',
      '${x//}': '',
      '${path//\\//-}': '-a-b-c.tar.gz',
      "'$x'": '$x',
      '"$x"': 'abcabc',
      // biome-ignore-end lint/suspicious/noTemplateCurlyInString: see above
    };
    for (const [word, wanted] of Object.entries(cases)) {
      if (word === `\${x//}`) expect(() => expand(word)).toThrow("missing '/' in");
      else expect(expand(word), word).toBe(wanted);
    }
  });

  it('say what is wrong with them', () => {
    const cases: Record<string, string> = {
      // biome-ignore-start lint/suspicious/noTemplateCurlyInString: as above
      '${no:?is needed}': 'failed to process "${no:?is needed}": no: is needed',
      '${empty:?}': 'failed to process "${empty:?}": empty: is not allowed to be empty',
      '${no?}': 'failed to process "${no?}": no: is not allowed to be unset',
      '${x': 'failed to process "${x": unsupported modifier (\ufffd) in substitution',
      '${}': 'failed to process "${}": syntax error: bad substitution',
      '${x:=y}': 'failed to process "${x:=y}": unsupported modifier (:=) in substitution',
      "'a": `failed to process "'a": unexpected end of statement while looking for matching single-quote`,
      // biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above
    };
    for (const [word, message] of Object.entries(cases)) expect(() => expand(word), word).toThrow(message);
  });

  it('tell which variables were there', () => {
    const { matched, unmatched } = expandWord('$x $y', { escape: '\\', lookup });
    expect([[...matched], [...unmatched]]).toEqual([['x'], ['y']]);
  });

  it('split after expansion, outside of quotes', () => {
    const options = { escape: '\\', lookup: () => 'a b' } as const;
    expect(expandWords('$v"$v" c\\ d', options)).toEqual(['a', 'ba b', 'c d']);
  });
});

describe('hostile words', () => {
  it('do not grow without bound', () => {
    const big = 'x'.repeat(WORD_MAX / 2);
    expect(() => expandWord('$a$a$a', { escape: '\\', lookup: () => big })).toThrow('longer than');
    expect(() => expandWord('"$a$a$a"', { escape: '\\', lookup: () => big })).toThrow('longer than');
    const replaced = `\${a//x/yyyy}`;
    expect(() => expandWord(replaced, { escape: '\\', lookup: () => big })).toThrow('longer than');
  });

  it('are not nested without end', () => {
    expect(() => expand(`$${'{a:-$'.repeat(10_000)}`)).toThrow('nested too deeply');
  });

  it('cost no exponential time in patterns', () => {
    const long = 'a'.repeat(20_000);
    const started = performance.now();
    const pattern = `$${`{v//${'*a'.repeat(500)}b/x}`}`;
    expect(() => expandWord(pattern, { escape: '\\', lookup: () => long })).toThrow('takes too long');
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});
