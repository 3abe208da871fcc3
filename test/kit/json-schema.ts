/** As much of JSON Schema as our own schemas use; a keyword that it does not know is an error, never passed over. */

type Schema = Readonly<Record<string, unknown>>;

/** What is wrong, with the place; empty: valid. */
export function wrongIn(value: unknown, schema: Schema, at = '$'): readonly string[] {
  return Object.entries(schema).flatMap(([keyword, wanted]) => check(keyword, wanted, value, schema, at));
}

function check(keyword: string, wanted: unknown, value: unknown, schema: Schema, at: string): readonly string[] {
  const properties = (schema['properties'] ?? {}) as Readonly<Record<string, Schema>>;
  const given = isObject(value) ? value : {};
  switch (keyword) {
    case '$schema':
    case 'title':
    case 'description':
      return [];
    case 'type':
      return isOf(String(wanted), value) ? [] : [`${at}: no ${wanted}: ${JSON.stringify(value)}`];
    case 'const':
      return value === wanted ? [] : [`${at}: not ${wanted}: ${JSON.stringify(value)}`];
    case 'enum':
      return (wanted as unknown[]).includes(value) ? [] : [`${at}: none of ${wanted}: ${JSON.stringify(value)}`];
    case 'minimum':
      return typeof value !== 'number' || value >= Number(wanted) ? [] : [`${at}: below ${wanted}: ${value}`];
    case 'anyOf': {
      const all = (wanted as Schema[]).map((one) => wrongIn(value, one, at));
      return all.some((faults) => faults.length === 0) ? [] : all.flat();
    }
    case 'items':
      return Array.isArray(value) ? value.flatMap((item, i) => wrongIn(item, wanted as Schema, `${at}[${i}]`)) : [];
    case 'properties':
      return Object.entries(properties).flatMap(([key, one]) =>
        Object.hasOwn(given, key) ? wrongIn(given[key], one, `${at}.${key}`) : [],
      );
    case 'required':
      return (wanted as string[]).filter((key) => !Object.hasOwn(given, key)).map((key) => `${at}.${key}: missing`);
    case 'additionalProperties': {
      const others = Object.entries(given).filter(([key]) => !Object.hasOwn(properties, key));
      if (wanted === false) return others.map(([key]) => `${at}.${key}: not in the schema`);
      return others.flatMap(([key, each]) => wrongIn(each, wanted as Schema, `${at}.${key}`));
    }
    default:
      throw new Error(`${keyword}: not known`);
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isOf(type: string, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isSafeInteger(value);
    case 'number':
      return typeof value === 'number';
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      throw new Error(`type ${type}: not known`);
  }
}
