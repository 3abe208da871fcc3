/** Secrets by where they are: the text of a variable or a file, read once. */
import type { Secret } from '../core/model.ts';
import type { Secrets } from '../core/secrets.ts';
import { systemFiles } from './files.ts';

export interface SecretTexts {
  /** Undefined: not set, not there, or nothing that an HTTP header can carry. */
  read(secret: Secret): Promise<string | undefined>;
  /** As far as it can be read without waiting: what a pipe holds is known once it is used. */
  foresee(secret: Secret): Promise<void>;
}

const MOST_BYTES = 64 * 1024;

/** Whatever is read is put into `known`. */
export function openSecretTexts(env: Readonly<Record<string, string | undefined>>, known: Secrets): SecretTexts {
  const texts = new Map<string, string>();
  const read = async (secret: Secret) => {
    if ('env' in secret) return usable(env[secret.env]);
    const text =
      texts.get(secret.file) ?? usable(await systemFiles.read(secret.file, MOST_BYTES).catch(() => undefined));
    if (text !== undefined) texts.set(secret.file, text);
    return text;
  };
  const readKnown = async (secret: Secret) => {
    const text = await read(secret);
    if (text !== undefined) known.add(text);
    return text;
  };
  return {
    read: readKnown,
    async foresee(secret) {
      if ('file' in secret && (await systemFiles.kind(secret.file).catch(() => undefined)) !== 'file') return;
      await readKnown(secret);
    },
  };
}

/** What an HTTP header can carry: else the engine would be blamed. */
function usable(text: string | undefined): string | undefined {
  const key = text?.trim() ?? '';
  return /^[\x20-\x7e]+$/.test(key) ? key : undefined;
}
