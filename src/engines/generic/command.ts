/** Commands of a manifest entry: run without a shell, with nothing to read, ended with all they started when time is up. */
import { GpumodError } from '../../core/errors.ts';
import type { Argv, ExecProbe, ExecStep } from '../../core/model.ts';
import { brief } from '../answer.ts';
import type { DriverParts } from '../driver.ts';
import type { GenericService, Told } from './state.ts';

const MAX_OUTPUT_BYTES = 2 ** 18;

/** Exit code 0 is yes and 1 is no, as of `test` and `grep`. All else tells of the command, not of the engine. */
export async function askCommand(
  parts: DriverParts,
  service: GenericService,
  { exec }: ExecProbe,
  signal: AbortSignal,
): Promise<Told> {
  const end = await run(parts, service, exec, signal);
  if (end.code === 0) return { kind: 'yes' };
  if (end.code === 1) return { kind: 'no', facts: { kind: 'loading' } };
  const how = end.code === undefined ? end.signal : `exit code ${end.code}`;
  const detail = [exec[0], how, end.reason].filter(Boolean).join(': ');
  return { kind: 'unclear', facts: { kind: 'garbled', why: { code: 'error-status', detail } } };
}

/** Throws `command-failed`. */
export async function takeCommand(
  parts: DriverParts,
  service: GenericService,
  { exec }: ExecStep,
  signal: AbortSignal,
): Promise<void> {
  const end = await run(parts, service, exec, signal, { changes: true });
  if (end.code !== 0) throw new GpumodError('command-failed', { service: service.name, program: exec[0], ...end });
}

export const nameOfCommand = ({ exec }: ExecStep): string => `exec ${exec[0]}`;

interface End {
  readonly code?: number;
  readonly signal?: string;
  /** The last line it printed, else the code of why it could not be run. */
  readonly reason: string;
}

async function run(
  parts: DriverParts,
  service: GenericService,
  argv: Argv,
  signal: AbortSignal,
  how: { readonly changes?: true } = {},
): Promise<End> {
  try {
    const options = { signal, maxBytes: MAX_OUTPUT_BYTES, env: surroundings(service), ...how };
    const end = await parts.run.run([...argv], options);
    const reason = lastLine(end.stderr) ?? lastLine(end.stdout) ?? '';
    return {
      reason: brief(reason),
      ...(end.code === null ? {} : { code: end.code }),
      ...(end.signal ? { signal: end.signal } : {}),
    };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = error as { code?: string; message?: string };
    return { reason: brief(code ?? message ?? '') };
  }
}

function surroundings(service: GenericService): Record<string, string> {
  return {
    GPUMOD_SERVICE: service.name,
    GPUMOD_UNIT: service.unit,
    ...('url' in service ? { GPUMOD_URL: service.url } : {}),
  };
}

function lastLine(text: string): string | undefined {
  return text.split(/[\r\n]+/).findLast((line) => line.trim() !== '');
}
