/** Unit files of the real machine, and the programs that belong to them. */
import type { UnitTools } from './app/unit-tools.ts';
import { openUnitFiles } from './io/unit-files.ts';
import { unitFolder, type Whose } from './systemd/unit-folder.ts';

export interface Around extends Whose {
  readonly program: UnitTools['program'];
}

export const openUnitTools = ({ program, ...whose }: Around): UnitTools => ({
  files: openUnitFiles((scope) => unitFolder(scope, whose)),
  program,
});
