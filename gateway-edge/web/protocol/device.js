// The device that this browser is: an Ed25519 key pair whose private half never leaves the browser, not even to this page.

import { drop, keep, take } from "./keep.js";

/** As whom the page connects. It is signed, so it must be the same at every visit. */
export const CLIENT = { id: "gatehouse-page", mode: "ui", platform: "web", version: "1" };

/** @typedef {{ id: string, publicKey: string, sign: (text: string) => Promise<string> }} Device */

const KEY = "key";

/**
 * The device of this browser, made at the first visit. `null` where there can be none: browsers give pages the means only on
 * https:// and on this machine, and old ones do not know the kind of key.
 * @returns {Promise<Device | null>}
 */
export async function device() {
  if (!globalThis.crypto?.subtle) return null;
  try {
    const pair = /** @type {CryptoKeyPair | undefined} */ (await take("device", KEY)) ?? (await make());
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
    return {
      id: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
      publicKey: base64url(raw),
      sign: async (text) => base64url(new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, new TextEncoder().encode(text)))),
    };
  } catch {
    return null;
  }
}

async function make() {
  const made = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]));
  await keep("device", KEY, made);
  // Another tab may have made one at the same moment: whichever was kept last is the device.
  return /** @type {CryptoKeyPair} */ (await take("device", KEY));
}

/** Forgets the key: the next visit is that of another device. */
export const forgetDevice = () => drop("device", KEY);

/**
 * The `device` of a handshake: what the protocol calls v3 of the signature.
 * @param {Device} device
 * @param {{ role: string, scopes: string[], token: string, nonce: string, at: number }} said
 */
export async function proof(device, { role, scopes, token, nonce, at }) {
  const family = "";
  const signed = ["v3", device.id, CLIENT.id, CLIENT.mode, role, scopes.join(","), at, token, nonce, CLIENT.platform, family].join("|");
  return { id: device.id, publicKey: device.publicKey, signature: await device.sign(signed), signedAt: at, nonce };
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
