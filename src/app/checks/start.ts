/** What a unit gives its engine to start with: flags and environment. Pure. */
import type { Service } from '../../core/model.ts';
import type { UnitSettings } from '../../core/unit-settings.ts';
import { type CommandLine, commandLineOf, execStart, withArgument } from './command-line.ts';
import { dropIn, type Repair, type Subject } from './finding.ts';

/** As far as it is seen. */
export interface Start {
  readonly line?: CommandLine;
  /** What is not in it is not set. */
  readonly knowsEnvironment: boolean;
  readonly environment: UnitSettings['environment'];
}

export function startOf(service: Service, settings: UnitSettings): Start {
  const line = commandLineOf(service.engine, settings.argv);
  const outer = line?.isContained ? {} : settings.environment;
  return {
    ...(line ? { line } : {}),
    environment: { ...outer, ...line?.environment },
    knowsEnvironment: line?.isWhole === true && !line.isContained && !settings.hasEnvironmentFiles,
  };
}

/** The whole command line with one more argument, or another value of it; where that can't be shown, the argument. */
export function argument(subject: Subject, name: string, flagName: string, value?: string): Repair {
  const { service, settings } = subject;
  const { line } = startOf(service, settings);
  const start = line?.isPlain ? execStart(withArgument(settings.argv, flagName, value)) : undefined;
  if (start === undefined) return { kind: 'argument', words: value === undefined ? flagName : `${flagName} ${value}` };
  return dropIn(subject, name, '[Service]', 'ExecStart=', start);
}

/** `--gpu-memory-utilization`: of the card's whole memory; undefined = not told. */
export function partOf(service: Service, settings: UnitSettings | undefined): number | undefined {
  if (service.engine !== 'vllm' || !settings) return undefined;
  const { line } = startOf(service, settings);
  if (!line) return undefined;
  // They set the size of the cache in another way.
  if (line.flags.has('--kv-cache-memory-bytes', '--num-gpu-blocks-override')) return undefined;
  const said = Number(line.flags.value('--gpu-memory-utilization', '-gmu') ?? Number.NaN);
  return said > 0 && said <= 1 ? said : undefined;
}
