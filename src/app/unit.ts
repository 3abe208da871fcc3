/** Unit files from the manifest: what they would hold, what lies there, and writing them. Never tells systemd to read them. */
import { GpumodError } from '../core/errors.ts';
import { given } from '../core/given.ts';
import type { Scope, Service } from '../core/model.ts';
import { FileFailure } from '../io/files.ts';
import type { UnitFiles } from '../io/unit-files.ts';
import { unifiedDiff } from '../unit-file/diff.ts';
import { engineUnit } from '../unit-file/engine-unit.ts';
import { standingOf } from '../unit-file/stamp.ts';

/** A file as it shall be. */
export interface UnitText {
  readonly unit: string;
  readonly scope: Scope;
  readonly text: string;
  /** Whose unit it is; absent: gpumod's own. */
  readonly service?: string;
}

export interface Installed extends UnitText {
  readonly path: string;
  readonly end: 'written' | 'replaced' | 'unchanged';
}

export interface Difference {
  readonly path: string;
  /** Unified; empty: what lies there is what would be written. */
  readonly diff: string;
}

/** Throws `unit-unwritable`. */
export const renderUnit = (service: Service): UnitText => ({
  unit: service.unit,
  scope: service.scope,
  text: engineUnit(service),
  service: service.name,
});

/** Throws `user-scope-as-root`, `unit-file-failed`. */
export async function diffUnit(wanted: UnitText, files: UnitFiles): Promise<Difference> {
  const path = files.pathOf(wanted.unit, wanted.scope);
  const text = await naming(path, () => files.read(path));
  return { path, diff: unifiedDiff({ name: path, text }, { name: `${wanted.unit} (gpumod)`, text: wanted.text }) };
}

/** All or none, as far as can be told before. Throws `unit-file-kept`, `unit-file-failed`, `user-scope-as-root`. */
export async function installUnits(all: readonly UnitText[], files: UnitFiles): Promise<readonly Installed[]> {
  const found = await Promise.all(
    all.map(async (wanted) => {
      const path = files.pathOf(wanted.unit, wanted.scope);
      return { ...wanted, path, there: await naming(path, () => files.read(path)) };
    }),
  );
  for (const { unit, path, there, text, service } of found) {
    const standing = there === undefined || there === text ? 'own' : standingOf(there);
    if (standing !== 'own') throw new GpumodError('unit-file-kept', { unit, path, standing, ...given({ service }) });
  }
  const installed: Installed[] = [];
  for (const { there, ...wanted } of found) {
    const { path, text } = wanted;
    if (there !== text) await naming(path, () => files.write(path, text, there === undefined));
    installed.push({ ...wanted, end: there === undefined ? 'written' : there === text ? 'unchanged' : 'replaced' });
  }
  return installed;
}

async function naming<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FileFailure)) throw error;
    const reason = error.message.split(', ')[0] ?? '';
    throw new GpumodError('unit-file-failed', { path, reason, denied: error.kind === 'denied' }, { cause: error });
  }
}
