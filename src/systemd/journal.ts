/** A unit's last words, by `journalctl` (which knows who may read what). */
import type { Scope } from '../core/model.ts';
import { withoutSecrets } from '../core/secrets.ts';
import { ESCAPE_SEQUENCES, UNSAFE } from '../core/visible.ts';
import type { Clock } from '../io/clock.ts';
import type { Run } from '../io/run.ts';
import { isUnitName } from './names.ts';
import type { Journal } from './units.ts';

/** Lines arrive on another way than the unit's end: read until two readings agree. */
const SETTLE_MS = 50;
const MOST_READINGS = 6;

export function openJournal(parts: { readonly scope: Scope; readonly run: Run; readonly clock: Clock }): Journal {
  const read = async (argv: readonly string[], signal: AbortSignal): Promise<readonly string[]> => {
    const { stdout } = await parts.run.run(['journalctl', ...argv], { signal });
    return stdout.split('\n').flatMap(linesOf);
  };
  return {
    async tail(unit, { lines, invocationId, signal }) {
      if (!isUnitName(unit) || lines < 1) return [];
      const argv = [...BASE, `--lines=${lines}`, ...selection(parts.scope, unit, invocationId)];
      let found: readonly string[] = [];
      try {
        for (let reading = 0; reading < MOST_READINGS; reading++) {
          const before = found;
          found = await read(argv, signal);
          // Without an invocation it is asked at leisure; with one, right after the unit went down.
          const settled = found.length > 0 && found.join('\n') === before.join('\n');
          if (invocationId === undefined || settled) break;
          await parts.clock.sleep(SETTLE_MS, signal);
        }
      } catch {
        // No journalctl, or out of time: what we have.
      }
      return found.slice(-lines);
    },
  };
}

/** JSON, because the text formats leave out lines with unusual bytes ("blob data"). `--all`: also long ones. */
const BASE = ['--quiet', '--no-pager', '--output=json', '--output-fields=MESSAGE', '--all'];

/** The unit's own output, and what its manager says of it, which is logged under other fields. */
function selection(scope: Scope, unit: string, invocationId: string | undefined): readonly string[] {
  const user = scope === 'user';
  if (invocationId === undefined || !/^[0-9a-f]{32}$/.test(invocationId))
    return [user ? `--user-unit=${unit}` : `--unit=${unit}`];
  return [`_SYSTEMD_INVOCATION_ID=${invocationId}`, '+', `${user ? 'USER_' : ''}INVOCATION_ID=${invocationId}`];
}

/** One journal entry to lines of plain text. */
function linesOf(entry: string): readonly string[] {
  if (entry === '') return [];
  try {
    const { MESSAGE: message }: { MESSAGE?: unknown } = JSON.parse(entry);
    return messageText(message)
      .trimEnd()
      .split('\n')
      .map((line) => withoutSecrets(printable(line)));
  } catch {
    return [];
  }
}

/** Text; bytes where it is not UTF-8; a list of either where the field was given several times. */
function messageText(message: unknown): string {
  if (typeof message === 'string') return message;
  if (!Array.isArray(message)) return '';
  if (message.every((byte): byte is number => typeof byte === 'number')) return Buffer.from(message).toString('utf8');
  return message.map(messageText).join('\n');
}

/** Escape sequences and control characters of a program must not reach the reader's terminal. */
function printable(line: string): string {
  return line.replace(ESCAPE_SEQUENCES, '').replace(/\t/g, ' ').replace(UNSAFE, '');
}
