import { describe, expect, it } from 'vitest';
import {
  ConfigError,
  DataError,
  formatIssue,
  InterruptedError,
  invariant,
  NativeError,
  ShapeError,
  TeacherError,
  TeacherSetupError,
  throwIfAborted,
  UnderstudyError,
  WorkError,
} from '../../src/base/errors.ts';

describe('formatIssue', () => {
  it('names file, row and path as far as they are known', () => {
    expect(formatIssue('a.jsonl', { message: 'm' })).toBe('a.jsonl: m');
    expect(formatIssue('a.jsonl', { row: 3, message: 'm' })).toBe('a.jsonl:3: m');
    expect(formatIssue('a.json', { row: 0, path: 'x[1].y', message: 'm' })).toBe('a.json:0: x[1].y: m');
    expect(formatIssue('a.json', { path: 'x', message: 'm' })).toBe('a.json: x: m');
  });
});

describe('DataError', () => {
  const issues = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ row: i + 1, message: `broken ${i + 1}` }));

  it('takes one issue or many, keeps all and shows five', () => {
    const one = new DataError('a.jsonl', { row: 2, message: 'expected JSON' }, { hint: 'look' });
    expect(one).toMatchObject({ message: 'a.jsonl:2: expected JSON', hint: 'look', file: 'a.jsonl', code: 'data' });
    expect(one.issues).toEqual([{ row: 2, message: 'expected JSON' }]);
    const five = new DataError('a.jsonl', issues(5));
    expect(five.message.split('\n')).toHaveLength(5);
    expect(five.message).not.toContain('more');
    const seven = new DataError('a.jsonl', issues(7));
    expect(seven.message.split('\n')).toEqual([
      ...issues(5).map(({ row, message }) => `a.jsonl:${row}: ${message}`),
      '… and 2 more',
    ]);
    expect(seven.issues).toHaveLength(7);
  });
});

describe('the errors', () => {
  it('carry their class as name, a code and an exit code: 2 for what is found before work begins', () => {
    const errors: [UnderstudyError, string, string, number][] = [
      [new ConfigError('m'), 'ConfigError', 'config', 2],
      [new DataError('f', { message: 'm' }), 'DataError', 'data', 2],
      [new ShapeError('m'), 'ShapeError', 'shape', 1],
      [new NativeError('m'), 'NativeError', 'native', 1],
      [new TeacherError('m'), 'TeacherError', 'teacher', 1],
      [new TeacherSetupError('m'), 'TeacherSetupError', 'teacher', 2],
      [new WorkError('m'), 'WorkError', 'work', 1],
      [new InterruptedError(), 'InterruptedError', 'interrupted', 130],
    ];
    for (const [error, name, code, exitCode] of errors) {
      expect(error).toBeInstanceOf(UnderstudyError);
      expect({ name: error.name, code: error.code, exitCode: error.exitCode }).toEqual({ name, code, exitCode });
    }
  });

  it('keep the cause, and have none where none was given', () => {
    const cause = new Error('inner');
    expect(new WorkError('m', { cause }).cause).toBe(cause);
    expect('cause' in new WorkError('m')).toBe(false);
    expect(new WorkError('m').hint).toBeUndefined();
  });

  it('are not worth asking again unless a teacher says so', () => {
    expect(new TeacherError('m')).toMatchObject({ retryable: false, status: undefined, retryAfterMs: undefined });
    const busy = new TeacherError('m', { status: 429, retryable: true, retryAfterMs: 1500 });
    expect(busy).toMatchObject({ status: 429, retryable: true, retryAfterMs: 1500 });
  });
});

describe('invariant and throwIfAborted', () => {
  it('throw a plain Error for bugs of ours, an InterruptedError for the user', () => {
    expect(() => invariant(true, 'm')).not.toThrow();
    expect(() => invariant(0, 'zero')).toThrow('internal error: zero');
    const controller = new AbortController();
    expect(() => throwIfAborted(undefined)).not.toThrow();
    expect(() => throwIfAborted(controller.signal)).not.toThrow();
    controller.abort();
    expect(() => throwIfAborted(controller.signal)).toThrow(InterruptedError);
  });
});
