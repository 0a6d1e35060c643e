// The drawings of the page: one path each on a field of 24 by 24, drawn as lines in the colour of the text around them.

import { svg } from "./dom.js";

const PATHS = {
  alert: "M12 8v5M12 16.5v.5M12 3l9.5 17H2.5z",
  archive: "M4 8h16v11a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1zM3 4h18v4H3zM10 12h4",
  attach: "M20 11.5l-8.5 8.5a5 5 0 0 1-7-7L13 4.500a3.400 3.400 0 0 1 4.800 4.800l-8.400 8.400a1.700 1.700 0 0 1-2.400-2.400l7.700-7.700",
  back: "M15 5l-7 7 7 7",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l1.500 2h-15zM10 21h4",
  bubble: "M4 5h16v11H10l-4.500 4v-4H4z",
  chart: "M5 20V11M12 20V4M19 20v-6",
  check: "M5 12.500l4.500 4.500L19 7.500",
  chevron: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  device: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
  down: "M12 5v14M6 13l6 6 6-6",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  gear: "M4 7h10M18 7h2M4 17h2M10 17h10M16 4.500v5M8 14.500v5",
  image: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9h.01",
  list: "M4 6h16M4 12h16M4 18h10",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  log: "M5 4h14v16H5zM8 8h8M8 12h8M8 16h5",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  node: "M4 5h16v10H4zM9 20h6M12 15v5",
  out: "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9",
  pin: "M9 4h6l-1 6 3 3H7l3-3zM12 13v7",
  plus: "M12 5v14M5 12h14",
  pulse: "M3 12h4l3-7 4 14 3-7h4",
  refresh: "M19 8a8 8 0 1 0 1 6M20 3v5h-5",
  search: "M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM16 16l4 4",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M7 7h10v10H7z",
  thought: "M12 4a6 6 0 0 0-3.500 10.900V17h7v-2.100A6 6 0 0 0 12 4zM10 20h4",
  tool: "M14 6a4 4 0 0 0 5 5l-9 9-4-4 9-9zM6 6l3 3",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  users: "M9 5a3.500 3.500 0 1 1 0 7 3.500 3.500 0 0 1 0-7zM3 20a6 6 0 0 1 12 0M16 5.500a3.500 3.500 0 0 1 0 6.500M18 14.500a6 6 0 0 1 3 5.500",
};

/** @typedef {keyof typeof PATHS} Icon */

/** A drawing. It says nothing to who does not see it: what it stands for is written beside it or on its button.
 * @param {Icon} name */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: PATHS[name] }));
}
