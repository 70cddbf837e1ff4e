// Elements of the page: `el("p", {class: "note"}, "text", child)`. Text is always text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element. `on` holds listeners, `style` CSS properties, `data` data attributes; null, false are left out. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Make an element of a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, { on = {}, style = {}, data = {}, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
  for (const [name, value] of Object.entries(data)) element.dataset[name] = value;
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const ICONS = {
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.3 15.3 20 20",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  close: "M6 6l12 12M18 6 6 18",
  more: "M6 9l6 6 6-6",
  back: "M14 6l-6 6 6 6",
  next: "M10 6l6 6-6 6",
  up: "M6 14l6-6 6 6",
  down: "M6 10l6 6 6-6",
  filter: "M4 7h16M7 12h10M10 17h4",
  list: "M5 7h14M5 12h14M5 17h14",
  gallery: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  light: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  open: "M9 5H5v14h14v-4M13 5h6v6M19 5l-9 9",
  document: "M7 3h7l4 4v14H7zM14 3v4h4",
  folder: "M3 6h6l2 2h10v11H3z",
  upload: "M12 16V4M6 10l6-6 6 6M4 16v4h16v-4",
  sync: "M20 11a8 8 0 0 0-14.5-3.5L4 9M4 4v5h5M4 13a8 8 0 0 0 14.5 3.5L20 15M20 20v-5h-5",
  whole: "M9 4H4v5M15 4h5v5M9 20H4v-5M15 20h5v-5",
  map: "M6 8h.01M17 6h.01M11 13h.01M7 18h.01M18 16h.01M14 9h.01",
  twins: "M8 8h12v12H8zM16 8V4H4v12h4",
  check: "M4 12.5l5 5L20 6.500",
  brand: "M2.5 19 9 6l4.5 7.5L16 10l5.5 9z",
  gone: "M4 12a11 11 0 0 1 4-3M16 9a11 11 0 0 1 4 3M8 15.5a6 6 0 0 1 8 0M12 19h.01M5 4l14 16",
  key: "M14.5 5a4.5 4.5 0 1 1-3 7.900L5 19.5H3.5V17l7-7A4.5 4.5 0 0 1 14.5 5zM16 8.5h.01",
  seen: "M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M9 9h6v6H9z",
  why: "M5 19V9M12 19V5M19 19v-7",
};

/** Draw an icon of 24 units; it is for the eye only. */
export function icon(name) {
  return svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}
