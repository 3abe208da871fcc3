/** `${NAME}` in a value is replaced from the environment; `$${` is a plain `${`. Pure. */
import { type Checked, shown, wrong } from './fault.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names that a shell can set. */
export const VARIABLE: RegExp = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What is put in is not looked at again; a variable that is set but empty counts as set. */
export function expand(text: string, env: Environment): Checked<string> {
  if (!text.includes('${')) return { ok: text };
  const problems: string[] = [];
  const ok = text.replace(/\$(\$)?\{([^}]*)(\}?)/g, (whole, escaped: string | undefined, name: string, end: string) => {
    if (escaped) return whole.slice(1);
    if (!end || !VARIABLE.test(name)) {
      problems.push(`${shown(`\${${name}${end}`)} is not \${NAME}; a plain \${ is written $\${`);
      return '';
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) problems.push(`the environment variable ${name} is not set`);
    return value ?? '';
  });
  return problems.length === 0 ? { ok } : wrong([...new Set(problems)].join('; '));
}
