/** The shipped units and timers, read by systemd itself. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const UNITS = join(import.meta.dirname, '../../../units');
const execute = promisify(execFile);

/** What systemd has to say of a unit file; engines that this machine has not are no fault of the file. */
async function faults(file: string): Promise<readonly string[]> {
  const env = { ...process.env, SYSTEMD_LOG_LEVEL: 'info', SYSTEMD_LOG_COLOR: '0' };
  const ran = await execute('systemd-analyze', ['--user', 'verify', '--man=no', join(UNITS, file)], { env }).catch(
    (error: { stderr: string }) => error,
  );
  const lines = ran.stderr.split('\n').filter(Boolean);
  return lines.filter((line) => !/Command \S+ is not executable: No such file/.test(line) && line.includes(file));
}

describe('systemd finds nothing wrong with', () => {
  it.each(readdirSync(UNITS))('units/%s', async (file) => {
    expect(await faults(file)).toEqual([]);
  });
});
