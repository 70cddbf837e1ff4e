// Points on a canvas: drawn, moved and zoomed by pointer and keyboard, the nearest to a pointer told.

const NEAR = 14; // pixels from a point that still mean it
const STEP = 60; // pixels that an arrow key moves
const ZOOM = 1.4; // of a key or a button
const LEAST = 0.5; // zoom, where 1 shows all
const MOST = 200;
const MARGIN = 28;

/**
 * A canvas with points.
 *
 * on = { hover(point or -1, x, y), open(point), moved() }; coordinates are pixels of the canvas.
 */
export class Plot {
  positions = new Float32Array(0);
  #canvas;
  #context;
  #on;
  #colours = []; // of the groups
  #groups = new Uint8Array(0); // of each point
  #squares = new Uint8Array(0); // whether it is one
  #lit = null; // Set of points, null where none are
  #only = -1; // the group that is shown alone
  #chosen = -1; // the point that is named somewhere
  #view = { x: 0, y: 0, scale: 1 }; // the middle, and pixels of a unit
  #fitted = 1;
  #free = false; // whether somebody has moved it
  #grid = null;
  #frame = 0;
  #pointers = new Map();
  #pressed = null;
  #sprites = new Map();
  #resizes;

  constructor(canvas, on) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#on = on;
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.#release(event));
    canvas.addEventListener("pointerleave", () => this.#pointers.size || this.#on.hover(-1));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  close() {
    this.#resizes.disconnect();
    cancelAnimationFrame(this.#frame);
  }

  /** Show points at other places; the view follows until somebody moves it. */
  place(positions) {
    this.positions = positions;
    this.#grid = null;
    if (!this.#free) this.#fit();
    this.draw();
  }

  /** Give each point a group, and the groups colours; `squares` says which points are drawn as squares. */
  colour(groups, colours, squares) {
    this.#groups = groups;
    this.#squares = squares;
    this.#colours = colours;
    this.#sprites.clear();
    this.draw();
  }

  /** Light some points up, and leave the others dim; null for none. */
  light(points) {
    this.#lit = points;
    this.draw();
  }

  /** Show one group alone; -1 for all. */
  isolate(group) {
    this.#only = group;
    this.draw();
  }

  /** Ring one point; -1 for none. */
  choose(point) {
    if (point === this.#chosen) return;
    this.#chosen = point;
    this.draw();
  }

  /** Show everything. */
  reset() {
    this.#free = false;
    this.#fit();
    this.draw();
    this.#on.moved();
  }

  /** Zoom about a place of the canvas, or about its middle. */
  zoom(factor, x = this.#canvas.clientWidth / 2, y = this.#canvas.clientHeight / 2) {
    const scale = Math.min(Math.max(this.#view.scale * factor, this.#fitted * LEAST), this.#fitted * MOST);
    const left = x - this.#canvas.clientWidth / 2;
    const top = y - this.#canvas.clientHeight / 2;
    this.#view.x += left / this.#view.scale - left / scale;
    this.#view.y += top / this.#view.scale - top / scale;
    this.#view.scale = scale;
    this.#moved();
  }

  pan(x, y) {
    this.#view.x -= x / this.#view.scale;
    this.#view.y -= y / this.#view.scale;
    this.#moved();
  }

  /** Where a point is on the canvas. */
  at(point) {
    const { x, y, scale } = this.#view;
    return [
      (this.positions[2 * point] - x) * scale + this.#canvas.clientWidth / 2,
      (this.positions[2 * point + 1] - y) * scale + this.#canvas.clientHeight / 2,
    ];
  }

  /** The points that are in sight, those that are lit first, then by how near they are to the middle. */
  inView() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const found = [];
    for (let point = 0; point < this.positions.length / 2; point++) {
      if (!this.#shown(point)) continue;
      const [x, y] = this.at(point);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      found.push({ point, far: (x - width / 2) ** 2 + (y - height / 2) ** 2 - (this.#lit?.has(point) ? 1e9 : 0) });
    }
    return found.sort((a, b) => a.far - b.far).map(({ point }) => point);
  }

  /** Draw at the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #shown(point) {
    return this.#only < 0 || this.#groups[point] === this.#only;
  }

  #moved() {
    this.#free = true;
    this.draw();
    this.#on.moved();
  }

  #resize() {
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = Math.round(clientWidth * devicePixelRatio);
    this.#canvas.height = Math.round(clientHeight * devicePixelRatio);
    this.#sprites.clear();
    if (!this.#free) this.#fit();
    this.#paint(); // at once: a canvas is empty when its size has changed
  }

  #fit() {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let at = 0; at < this.positions.length; at += 2) {
      left = Math.min(left, this.positions[at]);
      right = Math.max(right, this.positions[at]);
      top = Math.min(top, this.positions[at + 1]);
      bottom = Math.max(bottom, this.positions[at + 1]);
    }
    if (left > right) return;
    const width = Math.max(this.#canvas.clientWidth - 2 * MARGIN, 1);
    const height = Math.max(this.#canvas.clientHeight - 2 * MARGIN, 1);
    this.#fitted = Math.min(width / Math.max(right - left, 1e-3), height / Math.max(bottom - top, 1e-3), 400);
    this.#view = { x: (left + right) / 2, y: (top + bottom) / 2, scale: this.#fitted };
  }

  #paint() {
    const context = this.#context;
    const ratio = devicePixelRatio;
    const { width, height } = this.#canvas;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const count = this.positions.length / 2;
    const crowd = Math.min(Math.max(Math.sqrt((width * height) / ratio ** 2 / Math.max(count, 1)) / 6, 1.5), 5);
    const radius = Math.min(crowd * Math.sqrt(Math.max(this.#view.scale / this.#fitted, 1)), 7);
    context.globalAlpha = this.#lit ? 0.22 : 0.85;
    for (let point = 0; point < count; point++)
      if (!this.#lit?.has(point) && this.#shown(point)) this.#stamp(point, radius, width, height, ratio);
    context.globalAlpha = 1;
    for (const point of this.#lit ?? []) if (this.#shown(point)) this.#stamp(point, radius * 1.4 + 1, width, height, ratio);
    if (this.#chosen >= 0 && this.#chosen < count) this.#ring(this.#chosen, radius * 1.4 + 5, ratio);
  }

  #stamp(point, radius, width, height, ratio) {
    const { x, y, scale } = this.#view;
    const left = (this.positions[2 * point] - x) * scale * ratio + width / 2;
    const top = (this.positions[2 * point + 1] - y) * scale * ratio + height / 2;
    const sprite = this.#sprite(this.#groups[point], this.#squares[point], radius, ratio);
    const half = sprite.width / 2;
    if (left < -half || top < -half || left > width + half || top > height + half) return;
    this.#context.drawImage(sprite, Math.round(left - half), Math.round(top - half));
  }

  /** A point is painted once for each colour, shape and size, and stamped where it is needed. */
  #sprite(group, square, radius, ratio) {
    const size = Math.round(radius * ratio * 2) / 2;
    const key = (Math.round(size * 2) * 2 + square) * 64 + group;
    let sprite = this.#sprites.get(key);
    if (sprite) return sprite;
    sprite = document.createElement("canvas");
    sprite.width = sprite.height = 2 * Math.ceil(size + 1);
    const context = sprite.getContext("2d");
    const middle = sprite.width / 2;
    context.fillStyle = this.#colours[group] ?? "#888888";
    context.beginPath();
    if (square) context.rect(middle - size * 0.9, middle - size * 0.9, size * 1.8, size * 1.8);
    else context.arc(middle, middle, size, 0, 7);
    context.fill();
    this.#sprites.set(key, sprite);
    return sprite;
  }

  #ring(point, radius, ratio) {
    const [x, y] = this.at(point);
    const context = this.#context;
    context.strokeStyle = getComputedStyle(this.#canvas).color;
    context.lineWidth = 2 * ratio;
    context.beginPath();
    context.arc(x * ratio, y * ratio, radius * ratio, 0, 7);
    context.stroke();
  }

  /** The point nearest to a place of the canvas, -1 where none is near. */
  nearest(x, y) {
    const { scale } = this.#view;
    const across = (x - this.#canvas.clientWidth / 2) / scale + this.#view.x;
    const down = (y - this.#canvas.clientHeight / 2) / scale + this.#view.y;
    this.#grid ??= new Grid(this.positions);
    return this.#grid.nearest(across, down, NEAR / scale, (point) => this.#shown(point) && (!this.#lit?.size || this.#lit.has(point)))
      ?? this.#grid.nearest(across, down, NEAR / scale, (point) => this.#shown(point)) ?? -1;
  }

  #press(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.#pressed = { x: event.offsetX, y: event.offsetY, moved: this.#pointers.size > 1 };
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    const { offsetX: x, offsetY: y } = event;
    if (!before) return this.#on.hover(this.nearest(x, y), x, y);
    if (this.#pointers.size === 1) {
      if (!this.#pressed.moved && Math.hypot(x - this.#pressed.x, y - this.#pressed.y) < 4) return;
      this.#pressed.moved = true;
      this.#on.hover(-1);
      this.pan(x - before[0], y - before[1]);
    } else if (this.#pointers.size === 2) {
      const [other] = [...this.#pointers].find(([id]) => id !== event.pointerId).slice(1);
      const far = (a) => Math.max(Math.hypot(a[0] - other[0], a[1] - other[1]), 1);
      this.pan((x - before[0]) / 2, (y - before[1]) / 2);
      this.zoom(far([x, y]) / far(before), (x + other[0]) / 2, (y + other[1]) / 2);
    }
    this.#pointers.set(event.pointerId, [x, y]);
  }

  #release(event) {
    if (!this.#pointers.delete(event.pointerId) || this.#pointers.size) return;
    if (event.type === "pointercancel" || this.#pressed.moved) return;
    const point = this.nearest(event.offsetX, event.offsetY);
    // A finger hides what it points at: the first touch names it.
    if (event.pointerType === "mouse" && point >= 0) this.#on.open(point);
    else this.#on.hover(point, event.offsetX, event.offsetY);
  }

  #wheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode ? 16 : 1);
    this.zoom(Math.exp(-Math.max(-200, Math.min(200, pixels)) / 250), event.offsetX, event.offsetY);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      ArrowLeft: () => this.pan(STEP, 0),
      ArrowRight: () => this.pan(-STEP, 0),
      ArrowUp: () => this.pan(0, STEP),
      ArrowDown: () => this.pan(0, -STEP),
      "+": () => this.zoom(ZOOM),
      "=": () => this.zoom(ZOOM),
      "-": () => this.zoom(1 / ZOOM),
      0: () => this.reset(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }
}

/** Points in square cells, so that what is near a place is found without looking at all. */
class Grid {
  #positions;
  #cells = new Map();
  #size;

  constructor(positions) {
    this.#positions = positions;
    let [low, high] = [Infinity, -Infinity];
    for (const value of positions) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    this.#size = Math.max((high - low) / 100, 1e-6);
    for (let point = 0; point < positions.length / 2; point++) {
      const key = this.#key(Math.floor(positions[2 * point] / this.#size), Math.floor(positions[2 * point + 1] / this.#size));
      const cell = this.#cells.get(key);
      if (cell) cell.push(point);
      else this.#cells.set(key, [point]);
    }
  }

  #key(column, row) {
    return (column + 32768) * 65536 + row + 32768;
  }

  /** The nearest point within `reach` that is wanted, undefined where there is none. */
  nearest(x, y, reach, wanted) {
    const within = (value) => [Math.floor((value - reach) / this.#size), Math.floor((value + reach) / this.#size)];
    const [left, right] = within(x);
    const [top, bottom] = within(y);
    let best;
    let least = reach * reach;
    for (let column = left; column <= right; column++)
      for (let row = top; row <= bottom; row++)
        for (const point of this.#cells.get(this.#key(column, row)) ?? []) {
          const square = (this.#positions[2 * point] - x) ** 2 + (this.#positions[2 * point + 1] - y) ** 2;
          if (square <= least && wanted(point)) [best, least] = [point, square];
        }
    return best;
  }
}
