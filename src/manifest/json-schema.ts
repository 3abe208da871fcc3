/** The JSON Schema by which editors complete and check a manifest, from the same source as the checks themselves. */
import { jsonSchema } from './schema.ts';

export function manifestJsonSchema(): object {
  const { $schema, ...rest } = jsonSchema() as Record<string, unknown>;
  return {
    $schema,
    title: 'gpumod manifest',
    description: 'The services of a GPU machine and the modes it is switched between.',
    ...rest,
  };
}
