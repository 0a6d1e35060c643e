/** A document changed by another that names only what differs; null takes away (RFC 7396). */
export function merged(whole, patch) {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result = { ...(typeof whole === "object" && whole !== null && !Array.isArray(whole) ? whole : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
