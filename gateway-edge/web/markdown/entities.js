// Escapes and character references. Of the two thousand names of HTML these are the ones of HTML 4: the others would be a third of the
// page, and a model that wants such a character writes it.

const LATIN =
  "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest " +
  "Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig " +
  "agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";
const GREEK = "Alpha Beta Gamma Delta Epsilon Zeta Eta Theta Iota Kappa Lambda Mu Nu Xi Omicron Pi Rho - Sigma Tau Upsilon Phi Chi Psi Omega";
const OTHERS =
  "quot \" amp & lt < gt > apos ' OElig Œ oelig œ Scaron Š scaron š Yuml Ÿ fnof ƒ circ ˆ tilde ˜ ensp \u2002 emsp \u2003 thinsp \u2009 zwnj \u200c zwj \u200d " +
  "ndash – mdash — lsquo ‘ rsquo ’ sbquo ‚ ldquo “ rdquo ” bdquo „ dagger † Dagger ‡ bull • hellip … permil ‰ prime ′ Prime ″ lsaquo ‹ rsaquo › oline ‾ frasl ⁄ " +
  "euro € image ℑ weierp ℘ real ℜ trade ™ alefsym ℵ larr ← uarr ↑ rarr → darr ↓ harr ↔ crarr ↵ lArr ⇐ uArr ⇑ rArr ⇒ dArr ⇓ hArr ⇔ " +
  "forall ∀ part ∂ exist ∃ empty ∅ nabla ∇ isin ∈ notin ∉ ni ∋ prod ∏ sum ∑ minus − lowast ∗ radic √ prop ∝ infin ∞ ang ∠ and ∧ or ∨ cap ∩ cup ∪ int ∫ " +
  "there4 ∴ sim ∼ cong ≅ asymp ≈ ne ≠ equiv ≡ le ≤ ge ≥ sub ⊂ sup ⊃ nsub ⊄ sube ⊆ supe ⊇ oplus ⊕ otimes ⊗ perp ⊥ sdot ⋅ lceil ⌈ rceil ⌉ lfloor ⌊ rfloor ⌋ " +
  "loz ◊ spades ♠ clubs ♣ hearts ♥ diams ♦ thetasym ϑ upsih ϒ piv ϖ sigmaf ς";

/** @type {Map<string, string> | undefined} */
let names;

function table() {
  if (names) return names;
  names = new Map();
  for (const [at, name] of LATIN.split(" ").entries()) names.set(name, String.fromCharCode(0xa0 + at));
  for (const [at, name] of GREEK.split(" ").entries()) {
    names.set(name, String.fromCharCode(0x391 + at));
    names.set(name.toLowerCase(), String.fromCharCode(0x3b1 + at));
  }
  const others = OTHERS.split(" ");
  for (let at = 0; at < others.length; at += 2) names.set(others[at], others[at + 1]);
  return names;
}

const REFERENCE = /&(?:#[xX]([0-9a-fA-F]{1,6})|#([0-9]{1,7})|([A-Za-z][A-Za-z0-9]{1,31}));/y;

/** The character that a reference at a place stands for. @param {string} text @param {number} at
 * @returns {{ char: string, end: number } | null} */
export function referenceAt(text, at) {
  REFERENCE.lastIndex = at;
  const found = REFERENCE.exec(text);
  if (!found) return null;
  const [, hex, decimal, name] = found;
  const char = name ? table().get(name) : character(hex ? Number.parseInt(hex, 16) : Number(decimal));
  return char === undefined ? null : { char, end: REFERENCE.lastIndex };
}

/** @param {number} code */
function character(code) {
  const isOne = code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return isOne ? String.fromCodePoint(code) : "\ufffd";
}

/** A text with its escapes and references resolved. @param {string} text */
export function unescaped(text) {
  if (!/[\\&]/.test(text)) return text;
  let out = "";
  for (let at = 0; at < text.length; at += 1) {
    const reference = text[at] === "&" ? referenceAt(text, at) : null;
    if (reference) {
      out += reference.char;
      at = reference.end - 1;
    } else if (text[at] === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) {
      at += 1;
      out += text[at];
    } else out += text[at];
  }
  return out;
}
