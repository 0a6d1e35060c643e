// Markdown's first half (CommonMark 0.31, appendix A): lines become blocks. Plus tables and task lists, as GitHub has them.
//
// What a model writes is not trusted to be small or kind: blocks in each other are bounded, and each line is looked at once for each
// block that is open.

import { Line } from "./line.js";
import { takeDefinitions } from "./references.js";
import { fenceAt, headingAt, htmlAt, htmlEnds, markerAt, RULE, SETEXT } from "./starts.js";
import { cellsOf, columnsOf } from "./tables.js";

/** @typedef {import("./references.js").References} References */
/** @typedef {{ type: "document" | "quote" | "list" | "item" | "paragraph" | "heading" | "code" | "html" | "rule" | "table" | "definitions", children: Block[], text: string, from: number, to: number, level: number, ordered: boolean, start: number, mark: string, tight: boolean, width: number, checked: boolean | null, fence: string, indent: number, info: string, html: number, align: string[], cells: string[][] }} Block */

/** Quotes and lists in each other. Nobody reads deeper, and what draws them goes into each of them. */
const DEPTH_MAX = 60;

/** @param {Block["type"]} type @param {number} line @returns {Block} */
function block(type, line) {
  return {
    type,
    children: [],
    text: "",
    from: line,
    to: line,
    level: 0,
    ordered: false,
    start: 1,
    mark: "",
    tight: true,
    width: 0,
    checked: null,
    fence: "",
    indent: 0,
    info: "",
    html: 0,
    align: [],
    cells: [],
  };
}

/** The blocks of a text. Definitions of links go into `references`.
 * @param {string} text @param {References} references @returns {Block} */
export function blocks(text, references) {
  const parser = new Parser(references);
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === "") lines.pop();
  for (const [number, line] of lines.entries()) parser.line(new Line(line.replaceAll("\0", "\ufffd"), number));
  return parser.end();
}

class Parser {
  document = block("document", 0);
  /** The blocks that are open, each in the one before it. */
  open = [this.document];

  /** @param {References} references */
  constructor(references) {
    this.references = references;
  }

  get tip() {
    return /** @type {Block} */ (this.open.at(-1));
  }

  /** @param {Line} line */
  line(line) {
    let depth = 1;
    for (; depth < this.open.length; depth += 1) {
      const goes = this.#continues(this.open[depth], line);
      if (goes === "taken") return;
      if (!goes) break;
    }
    const isLazy = depth < this.open.length && this.tip.type === "paragraph";
    const container = this.#start(line, depth);
    if (container === "taken") return;
    if (isLazy && container === depth && !line.isBlank) {
      this.#addText(this.tip, line);
      return;
    }
    this.#close(container);
    this.#addLine(line);
  }

  /** Whether an open block goes on in this line. What belongs to it alone is taken.
   * @param {Block} block @param {Line} line @returns {boolean | "taken"} */
  #continues(block, line) {
    switch (block.type) {
      case "quote":
        if (line.indent > 3 || line.char !== ">") return false;
        block.to = line.number;
        line.take(1);
        if (line.startsWithSpace) line.takeColumns(1);
        return true;
      case "item":
        if (line.isBlank) return block.children.length > 0;
        if (line.indent < block.width) return false;
        line.takeColumns(block.width);
        return true;
      case "code":
        return block.fence ? this.#continuesFence(block, line) : continuesIndented(line);
      case "html":
        return !(line.isBlank && block.html >= 6);
      case "list":
        return true;
      case "table":
        return !line.isBlank && line.indent < 4 && !startsBlock(line);
      case "paragraph":
        return !line.isBlank;
      default:
        return false;
    }
  }

  /** @param {Block} block @param {Line} line */
  #continuesFence(block, line) {
    const fence = line.indent <= 3 ? line.text.slice(line.next).trimEnd() : "";
    if (fence.length >= block.fence.length && fence === block.fence[0].repeat(fence.length)) {
      block.to = line.number;
      this.#close(this.open.length - 1);
      return "taken";
    }
    line.takeColumns(block.indent);
    return true;
  }

  /** Opens the blocks that begin in this line. Returns how many blocks are open that the line belongs to.
   * @param {Line} line @param {number} depth @returns {number | "taken"} */
  #start(line, depth) {
    for (;;) {
      const container = this.open[depth - 1];
      if (container.type === "code" || container.type === "html" || container.type === "table" || line.isBlank) return depth;
      if (line.indent >= 4) {
        if (this.tip.type === "paragraph") return depth;
        line.takeColumns(4);
        return this.#begin(depth, block("code", line.number));
      }
      const made = this.#startOne(line, depth, container);
      if (made === null || made === "taken") return made ?? depth;
      depth = made;
      if (!["quote", "item"].includes(this.tip.type)) return depth;
    }
  }

  /** @param {Line} line @param {number} depth @param {Block} container @returns {number | "taken" | null} */
  #startOne(line, depth, container) {
    const rest = line.text.slice(line.next);
    if (line.char === ">" && depth < DEPTH_MAX) {
      line.take(1);
      if (line.startsWithSpace) line.takeColumns(1);
      return this.#begin(depth, block("quote", line.number));
    }
    const heading = headingAt(rest);
    if (heading) {
      this.#begin(depth, { ...block("heading", line.number), ...heading });
      this.#close(this.open.length - 1);
      return "taken";
    }
    const fence = fenceAt(rest);
    if (fence) {
      this.#begin(depth, { ...block("code", line.number), ...fence, indent: line.indent });
      return "taken";
    }
    const html = htmlAt(rest, container.type === "paragraph" || this.tip.type === "paragraph");
    if (html) return this.#begin(depth, { ...block("html", line.number), html });
    if (container.type === "paragraph" && this.#underline(line, rest)) return "taken";
    if (RULE.test(rest)) {
      this.#begin(depth, block("rule", line.number));
      this.#close(this.open.length - 1);
      return "taken";
    }
    const marker = depth < DEPTH_MAX ? markerAt(line, container.type === "paragraph") : null;
    return marker ? this.#beginItem(depth, container, marker) : null;
  }

  /** A line below a paragraph that makes something else of it. @param {Line} line @param {string} rest */
  #underline(line, rest) {
    const paragraph = this.tip;
    const columns = columnsOf(rest);
    const last = paragraph.text.slice(paragraph.text.lastIndexOf("\n") + 1);
    if (columns && (rest.includes("|") || last.includes("|")) && cellsOf(last).length === columns.length) {
      const before = paragraph.text.slice(0, -last.length).trimEnd();
      const table = { ...block("table", line.number - 1), align: columns, cells: [cellsOf(last)], to: line.number };
      if (before) {
        paragraph.text = before;
        this.#begin(this.open.length - 1, table);
      } else this.#turn(paragraph, table);
      return true;
    }
    if (!SETEXT.test(rest)) return false;
    const text = takeDefinitions(paragraph.text, this.references);
    if (!text.trim()) return false;
    this.#turn(paragraph, { ...block("heading", paragraph.from), level: rest[0] === "=" ? 1 : 2, text: text.trim(), to: line.number });
    this.#close(this.open.length - 1);
    return true;
  }

  /** @param {Block} old @param {Block} fresh */
  #turn(old, fresh) {
    Object.assign(old, fresh, { from: old.from });
  }

  /** @param {number} depth @param {Block} container @param {Block} item */
  #beginItem(depth, container, item) {
    if (container.type === "list" && container.mark === item.mark) return this.#begin(depth, item);
    if (container.type === "list") depth -= 1;
    const list = { ...block("list", item.from), ordered: item.ordered, start: item.start, mark: item.mark };
    return this.#begin(this.#begin(depth, list), item);
  }

  /** Opens a block in the one at a depth; whatever is open deeper ends. @param {number} depth @param {Block} fresh */
  #begin(depth, fresh) {
    this.#close(depth);
    while (!["document", "quote", "item"].includes(this.tip.type) && !(this.tip.type === "list" && fresh.type === "item")) {
      this.#close(this.open.length - 1);
    }
    this.tip.children.push(fresh);
    this.open.push(fresh);
    return this.open.length;
  }

  /** Ends all blocks behind the first so many. @param {number} depth */
  #close(depth) {
    while (this.open.length > depth) this.#finish(/** @type {Block} */ (this.open.pop()));
  }

  /** @param {Block} block */
  #finish(block) {
    if (block.type === "paragraph") {
      const text = takeDefinitions(block.text, this.references);
      if (!text.trim()) block.type = "definitions";
      block.text = text.trim();
    } else if (block.type === "code" && !block.fence) {
      block.text = block.text.replace(/\n(?:[ \t]*\n)*$/, "\n");
    } else if (block.type === "html") {
      block.text = block.text.trimEnd();
    } else if (block.type === "list") {
      block.tight = isTight(block);
    } else if (block.type === "item") {
      findTask(block);
    }
    // What ends in a block is a part of it.
    const last = block.children.at(-1);
    if (last) block.to = Math.max(block.to, last.to);
  }

  /** @param {Line} line */
  #addLine(line) {
    const { tip } = this;
    if (tip.type === "code" || tip.type === "html") {
      tip.text += `${line.rest}\n`;
      if (tip.fence || !line.isBlank) tip.to = line.number;
      if (tip.type === "html" && htmlEnds(tip.html, line.rest)) this.#close(this.open.length - 1);
    } else if (tip.type === "table") {
      tip.cells.push(cellsOf(line.text.slice(line.next)));
      tip.to = line.number;
    } else if (tip.type === "paragraph") {
      this.#addText(tip, line);
    } else if (!line.isBlank) {
      this.#begin(this.open.length, block("paragraph", line.number));
      this.#addText(this.tip, line);
    }
  }

  /** @param {Block} paragraph @param {Line} line */
  #addText(paragraph, line) {
    const text = line.text.slice(line.next);
    paragraph.text = paragraph.text ? `${paragraph.text}\n${text}` : text;
    paragraph.to = line.number;
  }

  end() {
    this.#close(0);
    return this.document;
  }
}

/** @param {Line} line */
function continuesIndented(line) {
  if (line.indent >= 4) line.takeColumns(4);
  else if (line.isBlank) line.takeColumns(line.indent);
  else return false;
  return true;
}

/** Whether something begins here that ends a table. @param {Line} line */
function startsBlock(line) {
  const rest = line.text.slice(line.next);
  return line.char === ">" || headingAt(rest) !== null || fenceAt(rest) !== null || RULE.test(rest) || htmlAt(rest, true) > 0;
}

/** A list is loose when an empty line parts two of its items, or two blocks of one of them. @param {Block} list */
function isTight({ children: items }) {
  const apart = (/** @type {Block[]} */ list) => list.some((each, at) => at > 0 && each.from - list[at - 1].to > 1);
  return !apart(items) && !items.some((item) => apart(item.children));
}

/** `- [x] done`. @param {Block} item */
function findTask(item) {
  const first = item.children[0];
  const found = first?.type === "paragraph" ? /^\[([ xX])\][ \t\n]+(?=\S)/.exec(first.text) : null;
  if (!found) return;
  item.checked = found[1] !== " ";
  first.text = first.text.slice(found[0].length);
}
