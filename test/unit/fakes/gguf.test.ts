/** The GGUF writer, read back with an independent reader. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BIG, writeGguf } from '../../fakes/gguf.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gpumod-gguf-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string) => join(folder, name);

/** Just enough of a GGUF v3 reader: the metadata and where each tensor's data lies. */
function read(bytes: Buffer) {
  let at = 0;
  const take = (length: number) => {
    at += length;
    return bytes.subarray(at - length, at);
  };
  const u32 = () => take(4).readUInt32LE();
  const u64 = () => Number(take(8).readBigUInt64LE());
  const text = () => take(u64()).toString('utf8');
  const value = (type: number): unknown => {
    if (type === 4 || type === 5) return u32();
    if (type === 6) return take(4).readFloatLE();
    if (type === 8) return text();
    if (type !== 9) throw new Error(`unexpected type ${type} at ${at}`);
    const of = u32();
    return Array.from({ length: u64() }, () => value(of));
  };
  const magic = take(4).toString('latin1');
  const version = u32();
  const tensorCount = u64();
  const metaCount = u64();
  const meta = new Map(Array.from({ length: metaCount }, () => [text(), value(u32())] as const));
  const tensors = Array.from({ length: tensorCount }, () => ({
    name: text(),
    shape: Array.from({ length: u32() }, u64),
    type: u32(),
    offset: u64(),
  }));
  return { magic, version, meta, tensors, dataAt: Math.ceil(at / 32) * 32 };
}

describe('the GGUF writer', () => {
  it('begins with magic, version 3 and the counts, little endian', () => {
    writeGguf(file('a.gguf'));
    expect(readFileSync(file('a.gguf')).subarray(0, 24).toString('hex')).toBe(
      `${Buffer.from('GGUF').toString('hex')}03000000${'0b00000000000000'}${'0b00000000000000'}`,
    );
  });

  it('writes what llama-server requires, and nothing after it', () => {
    const size = writeGguf(file('b.gguf'), { name: 'Größe', dim: 8, layers: 2, feedForward: 16, context: 512 });
    const bytes = readFileSync(file('b.gguf'));
    const gguf = read(bytes);
    expect(bytes.length).toBe(size);
    expect(gguf.meta.get('general.name')).toBe('Größe');
    expect(gguf.meta.get('llama.context_length')).toBe(512);
    expect(gguf.meta.get('llama.block_count')).toBe(2);
    expect(gguf.meta.get('llama.attention.layer_norm_rms_epsilon')).toBeCloseTo(1e-5, 10);
    const tokens = gguf.meta.get('tokenizer.ggml.tokens') as string[];
    expect([tokens.length, tokens[2], tokens[3], tokens[258]]).toEqual([259, '</s>', '<0x00>', '<0xFF>']);
    expect(gguf.meta.get('tokenizer.ggml.token_type')).toHaveLength(259);
    expect(gguf.tensors.map((tensor) => tensor.name)).toContain('blk.1.ffn_down.weight');
    expect(gguf.tensors.find((tensor) => tensor.name === 'blk.0.ffn_down.weight')?.shape).toEqual([16, 8]);
  });

  it('aligns every tensor to 32 bytes and ends with the last one', () => {
    writeGguf(file('c.gguf'), { dim: 3, feedForward: 5 });
    const bytes = readFileSync(file('c.gguf'));
    const { tensors, dataAt } = read(bytes);
    const ends = tensors.map(({ shape, offset }) => offset + shape.reduce((a, n) => a * n, 4));
    expect(tensors.filter(({ offset }) => offset % 32 !== 0)).toEqual([]);
    expect(tensors.slice(1).filter(({ offset }, i) => offset < (ends[i] ?? Number.NaN))).toEqual([]);
    expect(bytes.length - dataAt).toBe(Math.ceil(Math.max(...ends) / 32) * 32);
    const norm = tensors.find((tensor) => tensor.name === 'output_norm.weight');
    expect(bytes.readFloatLE(dataAt + (norm?.offset ?? Number.NaN))).toBe(1);
  });

  it('writes the same bytes for the same seed', () => {
    for (const [name, seed] of [
      ['d1', 7],
      ['d2', 7],
      ['d3', 8],
    ] as const)
      writeGguf(file(name), { seed });
    expect(readFileSync(file('d1')).equals(readFileSync(file('d2')))).toBe(true);
    expect(readFileSync(file('d1')).equals(readFileSync(file('d3')))).toBe(false);
  });

  it('writes a gigabyte as a hole', () => {
    const size = writeGguf(file('big.gguf'), BIG);
    const { size: length, blocks } = statSync(file('big.gguf'));
    expect(length).toBe(size);
    expect(length).toBeGreaterThan(2 ** 30);
    expect(blocks * 512).toBeLessThan(2 ** 20);
  });
});
