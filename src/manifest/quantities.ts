/** Sizes and durations as a manifest writes them: to bytes and milliseconds, or to what is wrong. Pure. */
import { parseDuration, parseSize } from '../core/units.ts';
import { type Checked, shown, wrong } from './fault.ts';

const DAY_MS = 24 * 3600e3;
const LONG_UNITS: readonly (readonly [RegExp, string])[] = [
  [/^(?:ms|msecs?|milliseconds?)$/i, 'ms'],
  [/^(?:s|secs?|seconds?)$/i, 's'],
  [/^(?:m|mins?|minutes?)$/i, 'm'],
  [/^(?:h|hrs?|hours?)$/i, 'h'],
];

/** To milliseconds: `90`, `90s`, `1m30s`; a bare number is seconds. More than nothing, at most a day. */
export function duration(value: unknown): Checked<number> {
  if (typeof value !== 'string' && typeof value !== 'number') return wrong('must be a duration, such as 90s or 1m30s');
  if (/^\s*-/.test(String(value))) return wrong(`must be more than zero, not ${shown(value)}`);
  const ms = typeof value === 'number' ? Math.round(value * 1e3) : parseDuration(value);
  if (ms === undefined || Number.isNaN(ms)) {
    const [, number, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*$/.exec(String(value)) ?? [];
    const short = LONG_UNITS.find(([long]) => long.test(unit))?.[1];
    return wrong(`${shown(value)} is no duration, such as 90s or 1m30s`, short && `${number}${short}`);
  }
  if (ms <= 0) return wrong('must be more than zero');
  return ms > DAY_MS ? wrong('must be at most 24h') : { ok: ms };
}

/** To bytes: `20000MiB`, `1.5GiB`. */
export function size(value: unknown): Checked<number> {
  if (typeof value !== 'string' && typeof value !== 'number') return wrong('must be a size, such as 20000MiB');
  const text = String(value).trim();
  if (/^-/.test(text)) return wrong(`must not be negative: ${shown(value)}`);
  if (/^\d+(\.\d+)?$/.test(text)) return wrong(`the size ${text} has no unit`, `${text}MiB`);
  const bytes = parseSize(text);
  if (bytes !== undefined) return Number.isSafeInteger(bytes) ? { ok: bytes } : wrong(`${shown(value)} is too large`);
  const [, number, prefix, i] = /^(\d+(?:\.\d+)?)\s*([kmgt])(i?)b?$/i.exec(text) ?? [];
  // `20G` is what others write for 2^30; `20gb` says 10^9 in the wrong case.
  const binary = i || !/b$/i.test(text);
  const meant = number && prefix && `${number}${binary ? `${prefix.toUpperCase()}iB` : `${decimal(prefix)}B`}`;
  return wrong(`${shown(value)} is no size, such as 20000MiB or 1.5GiB`, meant || undefined);
}

const decimal = (prefix: string): string => prefix.toUpperCase();
