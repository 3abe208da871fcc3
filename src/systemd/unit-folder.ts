/** Where a manager looks first for the unit files of its user or administrator (systemd.unit(5)). Pure. */
import type { Scope } from '../core/model.ts';
import { refuseUserScopeUnderSudo } from './address.ts';

export interface Whose {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly home: string;
}

/** Throws `user-scope-as-root`. */
export function unitFolder(scope: Scope, { env, uid, home }: Whose): string {
  if (scope === 'system') return '/etc/systemd/system';
  refuseUserScopeUnderSudo(env, uid);
  const given = env['XDG_CONFIG_HOME'];
  return `${given?.startsWith('/') ? given : `${home}/.config`}/systemd/user`;
}
