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
  #colours = { groups: [], paper: [255, 255, 255] };
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
  #sheet = new Sheet();
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
    canvas.addEventListener("pointerleave", ({ pointerType }) => pointerType !== "mouse" || this.#pointers.size || this.#on.hover(-1)); // a finger that is lifted leaves, too
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

  /**
   * Give each point a group, and the groups colours.
   *
   * @param colours  `{groups, paper}`, each colour as [red, green, blue], 0 to 255.
   * @param squares  which points are drawn as squares.
   */
  colour(groups, colours, squares) {
    this.#groups = groups;
    this.#squares = squares;
    this.#colours = colours;
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

  /** The points that are in sight: those that are lit in their order, then others, from the middle on. */
  inView() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const found = [];
    const order = new Map([...(this.#lit ?? [])].map((point, at) => [point, at - 1e9]));
    for (let point = 0; point < this.positions.length / 2; point++) {
      if (!this.#shown(point)) continue;
      const [x, y] = this.at(point);
      if (x < 0 || y < 0 || x > width || y > height) continue;
      found.push({ point, far: order.get(point) ?? (x - width / 2) ** 2 + (y - height / 2) ** 2 });
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
    const ratio = devicePixelRatio;
    const { width, height } = this.#canvas;
    if (!width || !height) return;
    const count = this.positions.length / 2;
    const crowd = Math.min(Math.max(Math.sqrt((width * height) / ratio ** 2 / Math.max(count, 1)) / 6, 1.5), 5);
    const radius = Math.min(crowd * Math.sqrt(Math.max(this.#view.scale / this.#fitted, 1)), 7);
    this.#sheet.begin(this.#context, width, height, this.#colours.paper);
    const small = [stamp(radius * ratio, false), stamp(radius * ratio, true)];
    const large = [stamp((radius * 1.25 + 1) * ratio, false), stamp((radius * 1.25 + 1) * ratio, true)];
    const { x, y, scale } = this.#view;
    const put = (point, stamps, strength) => {
      if (!this.#shown(point)) return;
      const left = Math.round((this.positions[2 * point] - x) * scale * ratio + width / 2);
      const top = Math.round((this.positions[2 * point + 1] - y) * scale * ratio + height / 2);
      this.#sheet.put(left, top, stamps[this.#squares[point]], this.#colours.groups[this.#groups[point]], strength);
    };
    for (let point = 0; point < count; point++) if (!this.#lit?.has(point)) put(point, small, this.#lit ? 0.22 : 0.85);
    for (const point of this.#lit ?? []) put(point, large, 1);
    this.#sheet.end(this.#context);
    if (this.#chosen >= 0 && this.#chosen < count) this.#ring(this.#chosen, radius * 1.4 + 5, ratio);
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

/**
 * Pixels that points are stamped on to, and which are then shown at once: ten thousand calls of a canvas take a hundred
 * times as long where no graphics card helps.
 */
class Sheet {
  #image = null;
  #pixels = null;

  begin(context, width, height, [red, green, blue]) {
    if (this.#image?.width !== width || this.#image.height !== height) {
      this.#image = context.createImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    }
    this.#pixels.fill((255 << 24) | (blue << 16) | (green << 8) | red);
  }

  /** Blend a stamp with what is there; its middle is at (left, top). */
  put(left, top, { size, cover }, [red, green, blue], strength) {
    const { width, height, data } = this.#image;
    const [x, y] = [left - (size >> 1), top - (size >> 1)];
    if (x + size <= 0 || y + size <= 0 || x >= width || y >= height) return;
    const [first, last] = [Math.max(0, -x), Math.min(size, width - x)];
    for (let row = Math.max(0, -y); row < Math.min(size, height - y); row++)
      for (let column = first; column < last; column++) {
        const share = cover[row * size + column] * strength;
        if (share === 0) continue;
        const at = ((y + row) * width + x + column) * 4;
        data[at] += (red - data[at]) * share;
        data[at + 1] += (green - data[at + 1]) * share;
        data[at + 2] += (blue - data[at + 2]) * share;
      }
  }

  end(context) {
    context.putImageData(this.#image, 0, 0);
  }
}

const stamps = new Map();

/** How much of each pixel a disc or a square covers, `size` by `size` of them, 0 to 1. */
function stamp(radius, square) {
  const rounded = Math.round(radius * 4) / 4;
  const key = rounded + (square ? 1000 : 0);
  let found = stamps.get(key);
  if (found) return found;
  const size = 2 * Math.ceil(rounded) + 1;
  const middle = (size - 1) / 2;
  const cover = new Float32Array(size * size);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const far = square ? Math.max(Math.abs(row - middle), Math.abs(column - middle)) * 1.12 : Math.hypot(row - middle, column - middle);
      cover[row * size + column] = Math.min(1, Math.max(0, rounded + 0.5 - far));
    }
  found = { size, cover };
  stamps.set(key, found);
  return found;
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
