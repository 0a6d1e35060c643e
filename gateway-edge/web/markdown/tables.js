// Rows of tables, as GitHub has them.

/** The alignment of each column, when this is the line below a table's head. @param {string} line @returns {string[] | null} */
export function columnsOf(line) {
  if (!/^[|:\- \t]+$/.test(line) || !line.includes("-")) return null;
  const cells = cellsOf(line);
  if (!cells.every((cell) => /^:?-+:?$/.test(cell))) return null;
  return cells.map((cell) => {
    const [left, right] = [cell.startsWith(":"), cell.endsWith(":")];
    return left && right ? "center" : right ? "right" : left ? "left" : "";
  });
}

/** The cells of a row. @param {string} line */
export function cellsOf(line) {
  const cells = [];
  let cell = "";
  const text = line.trim().replace(/^\|/, "");
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\" && text[at + 1] === "|") {
      cell += "|";
      at += 1;
    } else if (text[at] === "|") {
      cells.push(cell.trim());
      cell = "";
    } else cell += text[at];
  }
  if (cell.trim() || text.at(-1) !== "|") cells.push(cell.trim());
  return cells;
}
