/** Text from outside (engines, journals, file names) made safe to show: what would be obeyed is shown instead. */

/** C0 and C1 controls but tab and newline, and the marks that break lines or reorder text. */
export const UNSAFE: RegExp = /[^\P{Cc}\t\n]|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

export function visible(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** For text that is to be read without them: CSI (colours, cursor), OSC (titles, links) up to BEL or ST, and two-character escapes. */
export const ESCAPE_SEQUENCES: RegExp = new RegExp(
  ['\\u001b\\[[0-?]*[ -/]*[@-~]', '\\u001b\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)', '\\u001b[@-Z\\\\-_]'].join(
    '|',
  ),
  'g',
);
