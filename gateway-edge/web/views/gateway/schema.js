// What a key of the configuration may be, as its JSON Schema says it: as much of it as a form has a field for.

/** @typedef {{ type?: string | string[], properties?: {[name: string]: Schema}, additionalProperties?: Schema | boolean, items?: Schema, oneOf?: Schema[], anyOf?: Schema[], enum?: unknown[], const?: unknown, description?: string, default?: unknown, minimum?: number, maximum?: number, "x-at-start"?: string, "x-by-hand"?: boolean }} Schema */
/** @typedef {{ kind: "section", properties: [string, Schema][], entries: Schema | null }} Section */
/** @typedef {{ kind: "choice", choices: { value: string, about: string }[], isOpen: boolean }} Choice */
/** @typedef {Section | Choice | { kind: "switch" } | { kind: "number", min?: number, max?: number, whole: boolean } | { kind: "text" } | { kind: "list" } | { kind: "other" }} Shape */

/** @param {Schema} schema @returns {Shape} */
export function shapeOf(schema) {
  const forms = schema.oneOf ?? schema.anyOf ?? [];
  const constants = forms.filter((form) => typeof form.const === "string");
  const others = forms.filter((form) => form.const === undefined && form.type !== "null");
  if (constants.length && others.every((form) => form.type === "string")) {
    const choices = constants.map((form) => ({ value: String(form.const), about: form.description ?? "" }));
    return { kind: "choice", choices, isOpen: others.length > 0 };
  }
  // Of a value that may be written in two ways the form has the first that it knows.
  if (others.length) return others.map(shapeOf).find(({ kind }) => kind !== "other") ?? { kind: "other" };
  if (schema.enum)
    return {
      kind: "choice",
      choices: schema.enum.filter((value) => value !== null).map((value) => ({ value: String(value), about: "" })),
      isOpen: false,
    };
  const type = Array.isArray(schema.type) ? schema.type.find((type) => type !== "null") : schema.type;
  switch (type) {
    case "object": {
      const entries = typeof schema.additionalProperties === "object" ? schema.additionalProperties : null;
      return { kind: "section", properties: Object.entries(schema.properties ?? {}), entries };
    }
    case "boolean":
      return { kind: "switch" };
    case "integer":
    case "number":
      return { kind: "number", min: schema.minimum, max: schema.maximum, whole: type === "integer" };
    case "string":
      return { kind: "text" };
    case "array":
      return schema.items && shapeOf(schema.items).kind === "text" ? { kind: "list" } : { kind: "other" };
    default:
      return { kind: "other" };
  }
}

/** The value at a path. @param {any} document @param {string[]} path @returns {unknown} */
export function valueAt(document, path) {
  return path.reduce((inner, name) => (inner && typeof inner === "object" ? inner[name] : undefined), document);
}

/** A document that sets one value and nothing else; null takes it out. @param {string[]} path @param {unknown} value */
export function change(path, value) {
  return path.reduceRight((/** @type {unknown} */ inner, name) => ({ [name]: inner }), value);
}
