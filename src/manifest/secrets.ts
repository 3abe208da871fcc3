/** What in a manifest is secret: where its secrets are, and header texts that came with the environment. Pure. */
import type { HeaderValue, Manifest, Secret, Service } from '../core/model.ts';

export interface SecretsOfManifest {
  readonly places: readonly Secret[];
  readonly texts: readonly string[];
}

export function secretsIn({ services }: Manifest): SecretsOfManifest {
  const headers = [...services.values()].flatMap(headersOf);
  const keys = [...services.values()].flatMap((service) =>
    'url' in service ? [service.apiKey, service.adminKey].filter((key) => key !== undefined) : [],
  );
  const texts = headers.flatMap(([name, value]) => (typeof value === 'string' && HOLDS_KEYS.test(name) ? [value] : []));
  return {
    places: [...keys, ...headers.flatMap(([, value]) => (typeof value === 'string' ? [] : [value]))],
    texts: texts.flatMap((text) => [text, text.replace(/^\w+ +/, '')]), // with and without `Bearer`
  };
}

const HOLDS_KEYS = /auth|cookie|key|token|secret|password/i;

function headersOf(service: Service): readonly (readonly [string, HeaderValue])[] {
  if (service.engine !== 'http') return [];
  const { ready, asleep, nap } = service;
  const acts = [ready, ...(asleep ? [asleep] : []), ...(nap?.sleep ?? []), ...(nap?.wake ?? [])];
  return acts.flatMap((act) => ('headers' in act ? Object.entries(act.headers ?? {}) : []));
}
