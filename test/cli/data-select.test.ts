import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { at, data, json, jsonl, lines, read, write } from './data-run.ts';

describe('data split and sample', () => {
  const broken = write(
    'broken.jsonl',
    '{"instruction":"Name a bird.","output":"A wren."}\n{"instruction":"Name two.","output":""}\n',
  );
  const row = (i: number) => ({ instruction: `Describe thing number ${i}.`, output: `It is thing ${i}.` });
  const grown = write('grown.jsonl', jsonl(Array.from({ length: 260 }, (_, i) => row(i)).reverse()));
  const many = write('plain.jsonl', jsonl(Array.from({ length: 200 }, (_, i) => row(i))));
  const texts = (name: string) => lines<{ instruction: string }>(read(name)).map(({ instruction }) => instruction);
  const split = (file: string, name: string, ...flags: string[]) =>
    json('split', file, '--out', at(`${name}-train.jsonl`), '--held-out', at(`${name}-test.jsonl`), ...flags);

  it('parts the rows as they are, in order, none lost; rows that are added move no others', async () => {
    const result = await split(many, 'a', '--fraction', '0.2');
    expect(result['kept']).toBe(200 - (result['heldOut'] as number));
    const [train, test] = [texts('a-train.jsonl'), texts('a-test.jsonl')];
    expect([...train, ...test].sort()).toEqual(texts('plain.jsonl').sort());
    expect(
      read('plain.jsonl')
        .split('\n')
        .filter((line) => read('a-test.jsonl').includes(line))
        .join('\n'),
    ).toBe(read('a-test.jsonl'));
    await split(grown, 'b', '--fraction', '0.2');
    const old = new Set(texts('plain.jsonl'));
    expect(
      texts('b-test.jsonl')
        .filter((text) => old.has(text))
        .reverse(),
    ).toEqual(test);
    await split(many, 'c', '--fraction', '0.2', '--seed', '1');
    expect(texts('c-test.jsonl')).not.toEqual(test);
  });

  it('is the same in another form, and keeps copies on one side', async () => {
    await json('convert', many, '--to', 'messages', '--out', at('messages.jsonl'));
    await split(many, 'd', '--count', '40');
    await split(at('messages.jsonl'), 'e', '--count', '40');
    const questions = lines<{ messages: { content: string }[] }>(read('e-test.jsonl')).map(
      ({ messages }) => messages[0]?.content,
    );
    expect(questions).toEqual(texts('d-test.jsonl'));
    expect(questions).toHaveLength(40);
    await json('merge', many, many, '--out', at('twice.jsonl'));
    const halves = await split(at('twice.jsonl'), 'f', '--count', '81');
    expect(halves).toMatchObject({ heldOut: 80, kept: 320 });
  });

  it('samples as many as wanted, the same for a seed', async () => {
    const sample = async (name: string, ...flags: string[]) => {
      expect(await json('sample', many, '--count', '30', '--out', at(name), ...flags)).toMatchObject({
        taken: 30,
        rows: 200,
      });
      return texts(name);
    };
    const first = await sample('s1.jsonl');
    expect(await sample('s2.jsonl')).toEqual(first);
    expect(await sample('s3.jsonl', '--seed', '9')).not.toEqual(first);
    const order = texts('plain.jsonl');
    expect(first.map((text) => order.indexOf(text))).toEqual(
      [...first.map((text) => order.indexOf(text))].sort((a, b) => a - b),
    );
    const twice = await json('sample', at('twice.jsonl'), '--count', '399', '--out', at('s4.jsonl'));
    expect(twice).toMatchObject({ taken: 399 });
  });

  it.each<[string, string[], RegExp]>([
    [
      'neither share nor count',
      ['split', many, '--out', at('x'), '--held-out', at('y')],
      /one of --fraction and --count/,
    ],
    ['both', ['split', many, '--out', at('x'), '--held-out', at('y'), '--fraction', '0.5', '--count', '3'], /one of/],
    ['no share', ['split', many, '--out', at('x'), '--held-out', at('y'), '--fraction', '1.5'], /between 0 and 1/],
    ['one file twice', ['split', many, '--out', at('x'), '--held-out', at('x'), '--count', '3'], /are the same file/],
    ['more than there are', ['sample', many, '--count', '201', '--out', at('x')], /200 sound rows, fewer than the 201/],
    [
      'a number that JavaScript cannot write again',
      [
        'sample',
        write('big.jsonl', '{"instruction":"A","output":"B","key":9007199254740993}\n'),
        '--count',
        '1',
        '--out',
        at('x'),
      ],
      /big\.jsonl:1: a number near 9007199254740992 would be written as another/,
    ],
    ['a broken row', ['sample', broken, '--count', '1', '--out', at('x')], /broken\.jsonl:2/],
  ])('%s', async (_, args, message) => {
    const { code, stderr } = await data(...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(at('x'))).toBe(false);
  });
});
