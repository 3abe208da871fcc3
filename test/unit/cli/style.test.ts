import { describe, expect, it } from 'vitest';
import { wantsColor } from '../../../src/cli/view/style.ts';
import { visible } from '../../../src/core/visible.ts';

const terminal = { write() {}, isTerminal: true, columns: 80 };
const pipe = { write() {}, isTerminal: false, columns: undefined };

describe('colour', () => {
  it.each([
    ['auto', {}, terminal, true],
    ['auto', {}, pipe, false],
    ['auto', { NO_COLOR: '1' }, terminal, false],
    ['auto', { NO_COLOR: '' }, terminal, true],
    ['auto', { FORCE_COLOR: '1' }, pipe, true],
    ['auto', { CLICOLOR_FORCE: '1' }, pipe, true],
    ['auto', { FORCE_COLOR: '0' }, pipe, false],
    ['auto', { TERM: 'dumb' }, terminal, false],
    ['always', { NO_COLOR: '1' }, pipe, true],
    ['never', { FORCE_COLOR: '1' }, terminal, false],
  ] as const)('%s %o', (wish, env, sink, expected) => expect(wantsColor(wish, env, sink)).toBe(expected));
});

it('shows control characters instead of obeying them', () => {
  expect(visible('a\u001b[2Jb\u0007\r\n\tc\u009b')).toBe('a\\x1b[2Jb\\x07\\x0d\n\tc\\x9b');
});
