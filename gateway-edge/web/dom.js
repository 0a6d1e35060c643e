// The only place that makes elements. It makes nodes and text, never markup: there is no way from a string to HTML in this page.

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {{[name: string]: unknown}} Props */

const SVG = "http://www.w3.org/2000/svg";

/** Attributes that would run or load what is in them. The policy of the page refuses them too; here it fails where it was written. */
const REFUSED = /^(on.*|style|srcdoc|action|formaction)$/i;

/**
 * An element: `h("button", { class: "primary", onClick: send, disabled: true }, "Send")`. `onX` listens; `true` sets an attribute
 * without a value; `false`, `null` and `undefined` leave it out; any other value is the attribute's text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  if (props) set(element, props);
  element.append(...nodes(children));
  return element;
}

/** The same for drawings.
 * @param {string} tag
 * @param {Props} props
 * @param {...Child} children */
export function svg(tag, props, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, props);
  element.append(...nodes(children));
  return /** @type {SVGElement} */ (element);
}

/** Sets attributes and listeners.
 * @param {Element} element
 * @param {Props} props */
export function set(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") {
      const type = name.replace(/^on/, "").toLowerCase();
      element.addEventListener(type, /** @type {EventListener} */ (value));
    } else if (REFUSED.test(name)) {
      throw new Error(`the attribute ${name} is not set in this page`);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value === false || value === null || value === undefined) {
      element.removeAttribute(name);
    } else {
      element.setAttribute(name, String(value));
    }
  }
}

/** Puts other children in the place of those that are there.
 * @param {Element | DocumentFragment} parent
 * @param {...(Child | Child[])} children */
export function fill(parent, ...children) {
  parent.replaceChildren(...nodes(children));
}

/** Writes a text, and touches nothing when it is there already.
 * @param {Element} element
 * @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {(Child | Child[])[]} children */
function nodes(children) {
  /** @type {(Node | string)[]} */
  const list = [];
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false) continue;
    list.push(child instanceof Node ? child : String(child));
  }
  return list;
}

/**
 * Makes the children of an element those of a list. A child is kept as long as its key is in the list, and moved only when its place
 * changed, so that what is selected, focused or scrolled in it stays.
 * @template T
 * @template {Element} N
 * @param {Element} parent
 * @param {Iterable<T>} items
 * @param {{ key: (item: T) => string, make: (item: T) => N, update?: (node: N, item: T) => void }} how
 */
export function list(parent, items, { key, make, update }) {
  /** @type {Map<string, N>} */
  const known = lists.get(parent) ?? new Map();
  /** @type {Map<string, T>} */
  const wanted = new Map();
  for (const item of items) wanted.set(key(item), item);
  // First what goes, so that what stays is where it was and is not moved.
  for (const [name, node] of known) if (!wanted.has(name)) node.remove();
  const next = new Map();
  let at = parent.firstElementChild;
  for (const [name, item] of wanted) {
    const node = known.get(name) ?? make(item);
    update?.(node, item);
    next.set(name, node);
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  lists.set(parent, next);
}

/** Which children `list` made, by the element that holds them. */
const lists = /** @type {WeakMap<Element, Map<string, any>>} */ (new WeakMap());
