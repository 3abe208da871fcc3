/** The first line of a unit file that gpumod wrote: with it a file of others, or an edit, is known and left alone. Pure. */
import { createHash } from 'node:crypto';

/** Which command writes it. */
export type Writer = 'install' | 'socket';

const FIRST = /^# written by gpumod unit (?:install|socket), sha256 ([0-9a-f]{64})\n/;

const hashOf = (body: string): string => createHash('sha256').update(body).digest('hex');

export const stamped = (by: Writer, body: string): string =>
  `# written by gpumod unit ${by}, sha256 ${hashOf(body)}\n${body}`;

/** `own`: as we wrote it; `edited`: we wrote it, and somebody changed it since; `foreign`: it is none of ours. */
export function standingOf(text: string): 'own' | 'edited' | 'foreign' {
  const [line, hash] = FIRST.exec(text) ?? [];
  if (line === undefined) return 'foreign';
  return hashOf(text.slice(line.length)) === hash ? 'own' : 'edited';
}
