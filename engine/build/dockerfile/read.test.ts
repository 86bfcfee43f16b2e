import { describe, expect, it } from 'vitest';
import { BuildError } from '../error.ts';
import type { Instruction } from './instruction.ts';
import { parseDockerfile } from './read.ts';

const parse = (text: string | Buffer) => parseDockerfile({ name: 'Dockerfile', data: Buffer.from(text) });

function only(text: string): Instruction {
  const instruction = parse(`FROM scratch\n${text}`).stages[0]?.instructions[0];
  if (instruction === undefined) throw new Error('no instruction');
  return instruction;
}

function failure(text: string | Buffer): {
  message: string;
  lines: [number | undefined, number | undefined];
} {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    return { message: error.message, lines: [error.source?.firstLine, error.source?.lastLine] };
  }
  throw new Error('it was accepted');
}

describe('the lines of a Dockerfile', () => {
  it('knows where each instruction is, across continuations, comments and heredocs', () => {
    const { stages } = parse('# a\nFROM scratch\n\nRUN a \\\n  # note\n  b\nRUN <<EOF\nx\nEOF\nCMD c\n');
    const places = stages[0]?.instructions.map(({ source }) => [source.firstLine, source.lastLine]);
    expect(places).toEqual([
      [4, 6],
      [7, 9],
      [10, 10],
    ]);
    expect(stages[0]?.instructions[0]?.text).toBe('RUN a   b');
  });

  it('takes a byte order mark, CRLF, and a last line without an end', () => {
    const { stages } = parse('\ufeffFROM scratch\r\nRUN a \\\r\n b\r\nCMD c');
    expect(stages[0]?.instructions.map(({ text }) => text)).toEqual(['RUN a  b', 'CMD c']);
  });

  it('continues lines with the escape character of the directive', () => {
    const { stages, syntax } = parse(
      '# syntax=docker/dockerfile:1\n# escape=`\nFROM scratch\nCOPY c:\\a `\n d\\\n',
    );
    expect(syntax.escape).toBe('`');
    expect(stages[0]?.instructions[0]).toMatchObject({ sources: ['c:\\a'], destination: 'd\\' });
  });

  it('does not take a comment further down for a directive', () => {
    expect(parse('# a comment\n# escape=`\nFROM scratch').syntax.escape).toBe('\\');
  });

  it('counts an empty line within an instruction', () => {
    expect(parse('FROM scratch\nRUN a \\\n\n b').syntax.emptyContinuations).toHaveLength(1);
  });
});

describe('heredocs', () => {
  it('takes several, with tabs stripped and variables expanded where asked', () => {
    const copy = only('COPY <<a.txt <<-"b.txt" c /d/\n\tone $x\na.txt\n\ttwo\n\tb.txt\n');
    expect(copy).toMatchObject({
      sources: ['c'],
      destination: '/d/',
      files: [
        { name: 'a.txt', content: '\tone $x\n', expands: true },
        { name: 'b.txt', content: 'two\n', expands: false },
      ],
    });
  });

  it('are the script of RUN', () => {
    expect(only('RUN <<EOF cat\nhello\nEOF\n')).toMatchObject({
      command: { args: ['<<EOF cat'], usesShell: true },
      files: [{ name: 'EOF', content: 'hello\n' }],
    });
  });

  it('are none in a JSON array or in other instructions', () => {
    expect(only('RUN ["echo", "<<EOF"]')).toMatchObject({ files: [] });
    expect(only('CMD cat <<EOF')).toMatchObject({ command: { args: ['cat <<EOF'] } });
    expect(only('RUN echo $((1<<2))')).toMatchObject({ files: [] });
  });

  it('stay with the instruction behind ONBUILD', () => {
    expect(only('ONBUILD RUN <<EOF\nhello\nEOF\n')).toMatchObject({ trigger: 'RUN <<EOF\nhello\nEOF' });
  });

  it('must end', () => {
    expect(failure('FROM scratch\nRUN <<EOF\nhello\n')).toEqual({
      message: 'unterminated heredoc',
      lines: [2, 3],
    });
  });
});

describe('instructions', () => {
  it('read all flags of COPY and ADD', () => {
    expect(
      only('COPY --from=b --chown=1:2 --chmod=u=rw --link --parents --exclude=*.o --exclude=x a b /c/'),
    ).toMatchObject({
      kind: 'copy',
      from: 'b',
      chown: '1:2',
      chmod: 'u=rw',
      link: true,
      parents: true,
      excludePatterns: ['*.o', 'x'],
      sources: ['a', 'b'],
      destination: '/c/',
    });
    expect(only('ADD --checksum=sha256:0 --keep-git-dir=false --unpack a ["b c"]')).toMatchObject({
      checksum: 'sha256:0',
      keepsGitDirectory: false,
      unpacks: true,
    });
    expect(only('COPY ["a b", "c"]')).toMatchObject({ sources: ['a b'], destination: 'c' });
  });

  it('read the forms of RUN', () => {
    expect(only('RUN --mount=type=cache,target=/c --network=none echo "a  b"')).toMatchObject({
      mounts: ['type=cache,target=/c'],
      network: 'none',
      command: { args: ['echo "a  b"'], usesShell: true },
    });
    expect(only('RUN ["a", "b c"]')).toMatchObject({ command: { args: ['a', 'b c'], usesShell: false } });
    expect(only("RUN ['a', 'b']")).toMatchObject({ command: { args: ["['a', 'b']"], usesShell: true } });
  });

  it('read the pairs of ENV and LABEL, and the legacy form', () => {
    expect(only('ENV a=b c="d e" f=g\\ h')).toMatchObject({
      pairs: [
        { key: 'a', value: 'b', isLegacy: false },
        { key: 'c', value: '"d e"' },
        { key: 'f', value: 'g\\ h' },
      ],
    });
    expect(only('LABEL a b  c')).toMatchObject({ pairs: [{ key: 'a', value: 'b  c', isLegacy: true }] });
  });

  it('read HEALTHCHECK', () => {
    expect(
      only('HEALTHCHECK --interval=1m30s --timeout=500ms --retries=3 CMD curl -f http://localhost'),
    ).toMatchObject({
      test: ['CMD-SHELL', 'curl -f http://localhost'],
      interval: 90e9,
      timeout: 500e6,
      retries: 3,
    });
    expect(only('HEALTHCHECK none')).toMatchObject({ test: ['NONE'] });
  });

  it('read stages, and the ARGs before the first', () => {
    const { globalArgs, stages } = parse(
      'ARG A=1\nFROM --platform=$BUILDPLATFORM a:$A AS Build\nFROM scratch\n',
    );
    expect(globalArgs.map(({ args }) => args)).toEqual([[{ name: 'A', value: '1' }]]);
    expect(stages.map(({ from }) => [from.base, from.name, from.platform])).toEqual([
      ['a:$A', 'build', '$BUILDPLATFORM'],
      ['scratch', '', ''],
    ]);
  });
});

describe('what a Dockerfile says wrongly', () => {
  const cases: readonly (readonly [text: string, message: string, firstLine: number])[] = [
    ['', 'file with no instructions', 0],
    ['# only a comment\n', 'file with no instructions', 1],
    ['FORM scratch', 'dockerfile parse error on line 1: unknown instruction: FORM (did you mean FROM?)', 1],
    ['FROM scratch\nfoobar x', 'dockerfile parse error on line 2: unknown instruction: foobar', 2],
    ['RUN true', 'no build stage in current context', 1],
    ['# escape=x\nFROM scratch', "invalid escape token 'x' does not match ` or \\", 1],
    ['# check=a\n# check=b\nFROM scratch', 'only one check parser directive can be used', 2],
    ['FROM scratch\nENV a=1 b', 'Syntax error - can\'t find = in "b". Must be of the form: name=value', 2],
    ['FROM scratch\nENV a', 'ENV must have two arguments', 2],
    ['FROM scratch\nENV', 'dockerfile parse error on line 2: ENV requires at least one argument', 2],
    [
      'FROM scratch\nCMD ["a", 1]',
      'when using JSON array syntax, arrays must be comprised of strings only',
      2,
    ],
    ['FROM a b', 'dockerfile parse error on line 1: FROM requires either one or three arguments', 1],
    [
      'FROM a AS 1x',
      'dockerfile parse error on line 1: invalid name for build stage: "1x", name can\'t start with a number or contain symbols',
      1,
    ],
    [
      'FROM scratch\nCOPY a',
      'dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined',
      2,
    ],
    [
      'FROM scratch\nCOPY --form=x a b',
      'dockerfile parse error on line 2: unknown flag: --form (did you mean from?)',
      2,
    ],
    [
      'FROM scratch\nCOPY --link=maybe a b',
      'dockerfile parse error on line 2: expecting boolean value for flag --link, not: maybe',
      2,
    ],
    ['FROM scratch\nCOPY --from a b', 'dockerfile parse error on line 2: missing a value on flag: --from', 2],
    [
      'FROM scratch\nCOPY --from=a --from=b a b',
      'dockerfile parse error on line 2: duplicate flag specified: --from',
      2,
    ],
    [
      'FROM scratch\nCOPY a <<b\nb\n',
      'dockerfile parse error on line 2: COPY cannot accept a heredoc as a destination',
      2,
    ],
    [
      'FROM scratch\nRUN --network=moon true',
      'dockerfile parse error on line 2: invalid network mode "moon"',
      2,
    ],
    [
      'FROM scratch\nONBUILD FROM x',
      "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger",
      2,
    ],
    [
      'FROM scratch\nONBUILD ONBUILD RUN x',
      "dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed",
      2,
    ],
    [
      'FROM scratch\nSHELL bash',
      'dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form',
      2,
    ],
    [
      'FROM scratch\nHEALTHCHECK --interval=5 CMD x',
      'dockerfile parse error on line 2: time: missing unit in duration "5"',
      2,
    ],
    [
      'FROM scratch\nHEALTHCHECK TCP 80',
      'dockerfile parse error on line 2: Unknown type "TCP" in HEALTHCHECK (try CMD)',
      2,
    ],
  ];
  for (const [text, message, firstLine] of cases) {
    it(message, () => {
      expect(failure(text)).toMatchObject({ message, lines: [firstLine, expect.anything()] });
    });
  }
});

describe('hostile Dockerfiles', () => {
  it('have no endless lines', () => {
    expect(failure(`FROM scratch\nRUN ${'x'.repeat(70_000)}`).message).toBe(
      'dockerfile line greater than max allowed size of 65535',
    );
  });

  it('have no endless list of instructions', () => {
    expect(failure(`FROM scratch\n${'RUN x\n'.repeat(6_000)}`).message).toBe('more than 5000 instructions');
  });

  it('are read quickly when they are large', () => {
    const flags = '--mount=type=cache,target=/x '.repeat(2_000);
    const lines = `RUN ${flags} true <<A <<B${'"'.repeat(5_001)}\n`;
    const started = performance.now();
    expect(() => parse(`FROM scratch\n${lines.repeat(15)}`)).not.toThrow();
    expect(() => parse(`FROM scratch\n${`RUN ${' '.repeat(60_000)}x\n`.repeat(15)}`)).not.toThrow();
    expect(() => parse(`FROM scratch\nCOPY <<${' '.repeat(60_000)}< x\n`)).not.toThrow();
    expect(() => parse(`FROM scratch\nRUN ${'--mount=a \\\n'.repeat(90_000)} x`)).not.toThrow();
    expect(() => parse(`FROM scratch\nRUN ${' \t'.repeat(30_000)}\\ \nx`)).not.toThrow();
    expect(performance.now() - started).toBeLessThan(3_000);
  });

  it('may be any bytes', () => {
    expect(() => parse(Buffer.from([0xff, 0xfe, 0, 10, 0xc3, 0x28]))).toThrow(BuildError);
    expect(() => parse('FROM scratch\nLABEL __proto__=1 constructor=2')).not.toThrow();
    expect(() => parse('FROM scratch\nCOPY --__proto__=1 a b')).toThrow(BuildError);
  });
});
