/** Splits a stream's text into lines. */
import type { Readable } from 'node:stream';

/** Calls back with every whole line, and with an unfinished last one at the end. */
export function onLines(stream: Readable, line: (text: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) line(part);
  });
  stream.on('end', () => {
    if (rest !== '') line(rest);
    rest = '';
  });
}
