import { describe, expect, it } from 'vitest';
import { nearestName } from '../../src/base/nearest.ts';

const commands = ['run', 'generate', 'report', 'evaluate', 'chat'];

describe('nearestName', () => {
  it('finds a name with letters missing, added, swapped, replaced or in the wrong case', () => {
    expect(nearestName('generat', commands)).toBe('generate');
    expect(nearestName('reporrt', commands)).toBe('report');
    expect(nearestName('chta', commands)).toBe('chat');
    expect(nearestName('evalvate', commands)).toBe('evaluate');
    expect(nearestName('RUN', commands)).toBe('run');
  });

  it('takes the nearest of several: kitten is 1 from mitten, 3 from sitting', () => {
    expect(nearestName('kitten', ['sitting', 'mitten'])).toBe('mitten');
    expect(nearestName('kitten', ['sitting'])).toBe('sitting');
  });

  it('suggests nothing where nothing is near', () => {
    expect(nearestName('quarterback', commands)).toBeUndefined();
    expect(nearestName('run', [])).toBeUndefined();
    expect(nearestName('', ['ab'])).toBeUndefined();
    expect(nearestName('x', ['en', 'zh'])).toBeUndefined();
    expect(nearestName('ab', ['xy'])).toBeUndefined();
  });
});
