/** Writes small and huge-but-empty GGUF v3 files that a real llama-server loads and serves. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';

export interface GgufShape {
  /** `general.name`. */
  readonly name?: string;
  /** Embedding length. */
  readonly dim?: number;
  readonly layers?: number;
  readonly feedForward?: number;
  /** Tokens; one byte of a prompt is one token, and a chat template adds about 50. */
  readonly context?: number;
  readonly seed?: number;
  /** Every weight zero, and the weights a hole in the file: gigabytes in milliseconds, on a few kilobytes of disk. */
  readonly sparse?: boolean;
}

/** The default: 70 kB, loads in some 50 ms. */
export const TINY: GgufShape = { dim: 32, layers: 1, feedForward: 32, context: 256 };

/** 1.1 GB of address space and, once loaded, of memory; loads in about two seconds. */
export const BIG: GgufShape = { dim: 2048, layers: 4, feedForward: 8192, context: 256, sparse: true };

const ALIGNMENT = 32;
const F32_TENSOR = 0;
/** Value types of the metadata. */
const TYPE = { u32: 4, i32: 5, f32: 6, string: 8, array: 9 } as const;
/** Token types: the byte tokens must say so, or they are not turned back into bytes. */
const TOKEN = { unknown: 2, control: 3, byte: 6 } as const;

type Meta =
  | { readonly key: string; readonly type: 'u32' | 'f32'; readonly value: number }
  | { readonly key: string; readonly type: 'string'; readonly value: string }
  | { readonly key: string; readonly type: 'array'; readonly of: 'i32'; readonly value: readonly number[] }
  | { readonly key: string; readonly type: 'array'; readonly of: 'string'; readonly value: readonly string[] };

interface Tensor {
  readonly name: string;
  /** ggml's order: the contiguous dimension first. */
  readonly shape: readonly number[];
  /** Absent: pseudo-random. */
  readonly fill?: number;
}

/** Writes the file and returns its size in bytes. */
export function writeGguf(path: string, shape: GgufShape = TINY): number {
  const tensors = tensorsOf({ ...TINY, ...shape });
  const head = header({ ...TINY, ...shape }, tensors);
  const size = head.length + tensors.reduce((sum, tensor) => sum + padded(byteLength(tensor)), 0);
  const file = openSync(path, 'w');
  try {
    writeSync(file, head);
    if (!shape.sparse) writeWeights(file, tensors, shape.seed ?? 1);
    ftruncateSync(file, size);
  } finally {
    closeSync(file);
  }
  return size;
}

function header(shape: GgufShape, tensors: readonly Tensor[]): Buffer {
  const meta = metaOf(shape);
  let offset = 0;
  const infos = tensors.map((tensor) => {
    const at = offset;
    offset += padded(byteLength(tensor));
    const dims = tensor.shape.map(u64);
    return Buffer.concat([string(tensor.name), u32(dims.length), ...dims, u32(F32_TENSOR), u64(at)]);
  });
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(meta.length), ...meta.map(keyValue), ...infos];
  const head = Buffer.concat(parts);
  return Buffer.concat([head, Buffer.alloc(padded(head.length) - head.length)]);
}

function metaOf({ name = 'tiny', dim = 0, layers = 0, feedForward = 0, context = 0 }: GgufShape): readonly Meta[] {
  const vocabulary = vocabularyOf();
  return [
    { key: 'general.architecture', type: 'string', value: 'llama' },
    { key: 'general.name', type: 'string', value: name },
    { key: 'llama.context_length', type: 'u32', value: context },
    { key: 'llama.embedding_length', type: 'u32', value: dim },
    { key: 'llama.block_count', type: 'u32', value: layers },
    { key: 'llama.feed_forward_length', type: 'u32', value: feedForward },
    { key: 'llama.attention.head_count', type: 'u32', value: 1 },
    { key: 'llama.attention.layer_norm_rms_epsilon', type: 'f32', value: 1e-5 },
    { key: 'tokenizer.ggml.model', type: 'string', value: 'llama' },
    { key: 'tokenizer.ggml.tokens', type: 'array', of: 'string', value: vocabulary.map(([text]) => text) },
    { key: 'tokenizer.ggml.token_type', type: 'array', of: 'i32', value: vocabulary.map(([, type]) => type) },
  ];
}

/** Three control tokens and one for every byte, so that any prompt can be written with it. */
function vocabularyOf(): readonly (readonly [string, number])[] {
  const bytes = Array.from({ length: 256 }, (_, byte) => {
    return [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, TOKEN.byte] as const;
  });
  return [['<unk>', TOKEN.unknown], ['<s>', TOKEN.control], ['</s>', TOKEN.control], ...bytes];
}

function tensorsOf({ dim = 0, layers = 0, feedForward = 0 }: GgufShape): readonly Tensor[] {
  const layer = (index: number): readonly Tensor[] => {
    const name = (part: string) => `blk.${index}.${part}.weight`;
    return [
      { name: name('attn_norm'), shape: [dim], fill: 1 },
      ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].map((part) => ({ name: name(part), shape: [dim, dim] })),
      { name: name('ffn_norm'), shape: [dim], fill: 1 },
      ...['ffn_gate', 'ffn_up'].map((part) => ({ name: name(part), shape: [dim, feedForward] })),
      { name: name('ffn_down'), shape: [feedForward, dim] },
    ];
  };
  return [
    { name: 'token_embd.weight', shape: [dim, vocabularyOf().length] }, // no `output.weight`: it is shared
    { name: 'output_norm.weight', shape: [dim], fill: 1 },
    ...Array.from({ length: layers }, (_, index) => layer(index)).flat(),
  ];
}

/** Small weights from a xorshift generator: the same seed writes the same file. */
function writeWeights(file: number, tensors: readonly Tensor[], seed: number): void {
  let state = seed >>> 0 || 1;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32 / 10 - 0.05;
  };
  for (const tensor of tensors) {
    const data = Buffer.alloc(padded(byteLength(tensor)));
    for (let at = 0; at < byteLength(tensor); at += 4) data.writeFloatLE(tensor.fill ?? random(), at);
    writeSync(file, data);
  }
}

const byteLength = (tensor: Tensor): number => tensor.shape.reduce((product, n) => product * n, 4);
const padded = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

function keyValue(meta: Meta): Buffer {
  return Buffer.concat([string(meta.key), u32(TYPE[meta.type]), metaValue(meta)]);
}

function metaValue(meta: Meta): Buffer {
  switch (meta.type) {
    case 'u32':
      return u32(meta.value);
    case 'f32':
      return f32(meta.value);
    case 'string':
      return string(meta.value);
    case 'array': {
      const items = meta.of === 'string' ? meta.value.map(string) : meta.value.map(u32);
      return Buffer.concat([u32(TYPE[meta.of]), u64(items.length), ...items]);
    }
  }
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

/** Length in bytes, then UTF-8 without a terminator. */
function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}
