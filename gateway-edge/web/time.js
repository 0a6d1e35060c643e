// Moments and amounts as people say them, in the language of the browser.

const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const NUMBER = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** When, in as few letters as a list has room for. @param {number} at */
export function brief(at) {
  const age = Date.now() - at;
  if (age < MINUTE) return "now";
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return isToday ? CLOCK.format(at) : DAY.format(at);
}

/** @param {number} at */
export function ago(at) {
  const age = Date.now() - at;
  if (age < MINUTE) return "just now";
  if (age < HOUR) return RELATIVE.format(-Math.round(age / MINUTE), "minute");
  if (age < 36 * HOUR) return RELATIVE.format(-Math.round(age / HOUR), "hour");
  return RELATIVE.format(-Math.round(age / (24 * HOUR)), "day");
}

/** When, for what is still to come. @param {number} at */
export function soon(at) {
  const left = at - Date.now();
  if (left < MINUTE) return "in a moment";
  if (left < HOUR) return RELATIVE.format(Math.round(left / MINUTE), "minute");
  if (left < 36 * HOUR) return RELATIVE.format(Math.round(left / HOUR), "hour");
  return WHOLE.format(at);
}

/** @param {number} at */
export const whole = (at) => WHOLE.format(at);

/** How long something takes. @param {number} ms */
export function lasting(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** @param {number} number */
export const amount = (number) => NUMBER.format(number);

/** @param {number} bytes */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 * 1024) return `${Math.round(bytes / 1024)} KB`;
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

/** So many of something: `counted(1, "answer")`. @param {number} number @param {string} what */
export const counted = (number, what) => `${amount(number)} ${what}${number === 1 ? "" : "s"}`;
