/** A page of text as data: read from a small markup, printed on a terminal or as a manual page. Pure. */

export type Block =
  | { readonly kind: 'heading' | 'paragraph'; readonly text: string }
  /** As it is, indented. */
  | { readonly kind: 'code'; readonly lines: readonly string[] }
  | { readonly kind: 'items'; readonly items: readonly (readonly [term: string, text: string])[] };

/**
 * Blocks are parted by empty lines: `## HEADING`, four spaces before each line of code, `term :: text` for each item, else a
 * paragraph. In backticks stands what is typed or written as it is.
 */
export function blocksIn(text: string): readonly Block[] {
  const parts = text.trim().split(/\n(?:[ \t]*\n)+(?! {4})|\n(?:[ \t]*\n)+(?= {4})/);
  return parts.map(blockIn);
}

function blockIn(part: string): Block {
  const lines = part.split('\n');
  if (lines.every((line) => line.startsWith('    ')))
    return { kind: 'code', lines: lines.map((line) => line.slice(4)) };
  if (part.startsWith('## ')) return { kind: 'heading', text: part.slice(3) };
  if (!/ :: /.test(lines[0] ?? '')) return { kind: 'paragraph', text: lines.join(' ') };
  const items: [string, string][] = [];
  for (const line of lines) {
    const [term = '', text] = line.split(' :: ');
    const last = items.at(-1);
    if (text !== undefined) items.push([term, text]);
    else if (last) last[1] += ` ${line.trim()}`;
  }
  return { kind: 'items', items };
}

/** For a terminal of so many columns. */
export function pageText(blocks: readonly Block[], columns: number): string {
  const width = Math.max(40, Math.min(columns, 100));
  return `${blocks.map((block) => blockText(block, width)).join('\n\n')}\n`;
}

function blockText(block: Block, width: number): string {
  switch (block.kind) {
    case 'heading':
      return block.text.toUpperCase();
    case 'paragraph':
      return wrapped(plain(block.text), width).join('\n');
    case 'code':
      return block.lines.map((line) => (line === '' ? '' : `    ${line}`)).join('\n');
    case 'items':
      return block.items.map(([term, text]) => itemText(plain(term), plain(text), width)).join('\n');
  }
}

function itemText(term: string, text: string, width: number): string {
  return [`  ${term}`, ...wrapped(text, width - 6).map((line) => `      ${line}`)].join('\n');
}

const plain = (text: string): string => text.replaceAll('`', '');

/** At spaces; a word that is too long stays whole. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
