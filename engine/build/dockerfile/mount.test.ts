import { describe, expect, it } from 'vitest';
import { checkMount, csvFields, parseMount } from './mount.ts';

const parse = (text: string) => parseMount(text, (word) => word.replace('$x', 'X'));

describe('RUN --mount', () => {
  it('is a read-only bind by default', () => {
    expect(parse('target=/a,from=b,src=/c')).toMatchObject({
      type: 'bind',
      target: '/a',
      from: 'b',
      source: '/c',
      readonly: true,
    });
    expect(parse('target=/a,rw')).toMatchObject({ readonly: false });
  });

  it('reads the fields of each type', () => {
    expect(parse('type=cache,id=$x,target=/c,sharing=locked,mode=0700,uid=1,gid=2')).toMatchObject({
      id: 'X',
      sharing: 'locked',
      mode: 0o700,
      uid: 1,
      gid: 2,
      readonly: false,
    });
    expect(parse('type=tmpfs,target=/t,size=1.5m')).toMatchObject({ size: 1.5 * 1024 ** 2, readonly: false });
    expect(parse('type=secret,id=a,env=TOKEN,required')).toMatchObject({ env: 'TOKEN', required: true });
    expect(parse('"type=bind","target=/a,""b"')).toMatchObject({ target: '/a,"b' });
  });

  it('refuses, in the words of BuildKit', () => {
    const cases: Record<string, string> = {
      'type=bnid,target=/a': 'unsupported mount type "bnid" (did you mean bind?)',
      'type=bind,tagret=/a': "unexpected key 'tagret' in 'tagret=/a' (did you mean target?)",
      'type=cache,sharing=all': 'unsupported sharing value "all"',
      'type=bind,mode=0600': 'mode not allowed for "bind" type mounts',
      'type=bind,size=1': "unexpected key 'size' for mount type 'bind'",
      'type=bind,required': "unexpected key 'required' for mount type 'bind'",
      'type=secret': 'invalid secret mount. one of source, target required',
      'type=secret,id=a,src=b': "both source and id can't be set",
      'type=ssh,sharing=shared': 'invalid cache sharing set for ssh mount',
      'type=bind,target': "invalid field 'target' must be a key=value pair",
      'type=cache,mode=999': 'invalid value 999 for mode',
    };
    for (const [text, message] of Object.entries(cases)) expect(() => parse(text), text).toThrow(message);
    expect(() => checkMount('type=bind,from=$x')).toThrow("'from' doesn't support variable expansion");
    expect(() => csvFields('a"b')).toThrow('bare " in non-quoted-field');
  });
});
