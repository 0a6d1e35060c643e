// What the gateway's refusals mean to the page and to the person before it.

/** @typedef {{ code: string, message: string, details?: { code?: string, reason?: string, requestId?: string, [name: string]: unknown }, retryable?: boolean, retryAfterMs?: number }} WireError */

/** A request that was refused, or that found nobody. */
export class Refused extends Error {
  /** @param {WireError} error */
  constructor({ code, message, details, retryable, retryAfterMs }) {
    super(message);
    this.code = code;
    this.details = details ?? {};
    this.retryable = retryable ?? false;
    this.retryAfterMs = retryAfterMs;
  }

  /** The stable word for why. */
  get reason() {
    return this.details.code ?? this.details.reason ?? this.code;
  }
}

/** The gateway was not there, or went away before it answered. Nobody knows whether it did what was asked. */
export class Away extends Error {
  constructor() {
    super("The gateway is not reachable just now.");
  }
}

/** Handshakes that are refused until a person does something, by the word of the refusal. */
const FOR_GOOD = new Set([
  "AUTH_TOKEN_MISSING",
  "AUTH_TOKEN_MISMATCH",
  "AUTH_PASSWORD_MISSING",
  "AUTH_PASSWORD_MISMATCH",
  "AUTH_BOOTSTRAP_TOKEN_INVALID",
  "AUTH_DEVICE_TOKEN_MISMATCH",
  "AUTH_SCOPE_MISMATCH",
  "AUTH_IDENTITY_HEADER_REQUIRED",
  "AUTH_VERIFIED_USER_REQUIRED",
  "DEVICE_IDENTITY_REQUIRED",
  "CONTROL_UI_DEVICE_IDENTITY_REQUIRED",
  "CONTROL_UI_ORIGIN_NOT_ALLOWED",
  "PROTOCOL_MISMATCH",
  "CONNECT_PARAMS_INVALID",
]);

/** What becomes of a handshake that was refused: `again` after a while, `wait` for an approval, `stop` until somebody signs in.
 * @param {Refused} refused
 * @returns {"again" | "wait" | "stop"} */
export function verdict(refused) {
  if (refused.reason === "PAIRING_REQUIRED") return "wait";
  const isDevice = refused.reason.startsWith("DEVICE_AUTH_");
  return FOR_GOOD.has(refused.reason) || isDevice ? "stop" : "again";
}

/** A refusal for a person: what happened, and what to do next.
 * @param {unknown} error
 * @returns {string} */
export function told(error) {
  if (!(error instanceof Refused)) return error instanceof Error ? sentence(error.message) : sentence(String(error));
  switch (error.reason) {
    case "AUTH_TOKEN_MISMATCH":
      return "That is not the gateway's token. On its machine, “gatehouse token show” prints it.";
    case "AUTH_BOOTSTRAP_TOKEN_INVALID":
      return "This pairing code is used up or too old. “gatehouse pair” makes a new one.";
    case "AUTH_DEVICE_TOKEN_MISMATCH":
    case "AUTH_SCOPE_MISMATCH":
      return "This browser was signed out by the gateway. Sign in again.";
    case "AUTH_RATE_LIMITED":
      return `Too many attempts. Try again in ${Math.ceil((error.retryAfterMs ?? 60_000) / 1000)} seconds.`;
    case "MISSING_SCOPE":
      return "This browser is not allowed to do that.";
    default:
      return sentence(error.message);
  }
}

/** @param {string} text */
function sentence(text) {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
