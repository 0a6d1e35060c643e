// A line of Markdown that is taken apart from its left end, in characters and in columns: a tab may be taken in part.

export class Line {
  /** @param {string} text @param {number} number */
  constructor(text, number) {
    this.text = text;
    this.number = number;
    /** The next character, and its column. */
    this.at = 0;
    this.column = 0;
    /** Whether only a part of the tab at `at` was taken. */
    this.inTab = false;
    /** The next character that is no space, how many columns before it, and whether there is none. */
    this.next = 0;
    this.indent = 0;
    this.isBlank = false;
    this.look();
  }

  /** Looks for the next character that is no space. */
  look() {
    let { at: next, column } = this;
    for (; next < this.text.length; next += 1) {
      if (this.text[next] === " ") column += 1;
      else if (this.text[next] === "\t") column += 4 - (column % 4);
      else break;
    }
    this.next = next;
    this.indent = column - this.column;
    this.isBlank = next >= this.text.length;
  }

  /** The character that comes next, spaces left out. */
  get char() {
    return this.text[this.next] ?? "";
  }

  /** Takes the spaces before the next character, and so many characters. @param {number} count */
  take(count) {
    this.column += this.indent + count;
    this.at = this.next + count;
    this.inTab = false;
    this.look();
  }

  /** Takes so many columns of spaces, or as many as there are. @param {number} count */
  takeColumns(count) {
    while (count > 0 && (this.text[this.at] === " " || this.text[this.at] === "\t")) {
      const width = this.text[this.at] === "\t" ? 4 - (this.column % 4) : 1;
      if (width > count) {
        this.column += count;
        this.inTab = true;
        break;
      }
      this.column += width;
      this.at += 1;
      this.inTab = false;
      count -= width;
    }
    this.look();
  }

  /** Whether a space or a tab comes next. */
  get startsWithSpace() {
    return this.text[this.at] === " " || this.text[this.at] === "\t";
  }

  /** What is left. */
  get rest() {
    return this.inTab ? " ".repeat(4 - (this.column % 4)) + this.text.slice(this.at + 1) : this.text.slice(this.at);
  }
}
