/** The gpumod commands in a line of shell, to be parsed. */

/** `gpumod mode is-active rag || gpumod switch rag` gives both, without the program's name. No shell: only what docs use. */
export function gpumodLines(line: string): readonly string[] {
  return line
    .replace(/(^|\s)#.*/, '')
    .split(/\|\|?|&&|;|<\(|\)|\$\(|\d?>[^|&;]*/)
    .map((part) => part.trim())
    .flatMap((part) => /^(?:\S+=\S+ |\S*env )*gpumod\s+(.*)$/.exec(part)?.[1]?.trim() ?? []);
}
