/** Where gpumod keeps what is its own, by the XDG rules: a relative path there counts as not set. */

const KEPT = {
  state: { variable: 'XDG_STATE_HOME', otherwise: '.local/state' },
  cache: { variable: 'XDG_CACHE_HOME', otherwise: '.cache' },
} as const;

export function ownFolder(
  kind: keyof typeof KEPT,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  const { variable, otherwise } = KEPT[kind];
  const given = env[variable];
  return `${given?.startsWith('/') ? given : `${home}/${otherwise}`}/gpumod`;
}
