// A layout in the plane: what is alike in many dimensions comes to lie together.
//
// UMAP (McInnes, Healy, Melville 2018, arXiv:1802.03426) with the curve 1/(1 + d²), as uwot's t-UMAP has it: no powers are
// needed, which are most of the work. Neighbours are exact, the start is the first two principal components, chance is
// seeded: the same vectors always give the same layout.

const NEIGHBOURS = 15;
const NEGATIVES = 5; // points that each edge pushes away from, beside the one that it pulls
const EXTENT = 10; // half the width of the start
const GRAVITY = 0.05; // of what is not connected to the rest, which would be pushed ever farther away
const NEAREST = 1e-3; // keeps what pushes finite
const MOST = 4; // how far one push may go, before the rate
const SEED = 0x9e3779b9;

/**
 * Lay points out.
 *
 * @param parts  of `{count, dimensions, values}`, Float32Arrays of principal components; parts are not compared.
 * @param links  pairs of points, numbered through all parts, that belong together whatever they are alike.
 * @yields  `{positions, done}`: (2 n) Float32Array that is written on to, and how much of the work is done, 0 to 1.
 */
export function* layout(parts, links = []) {
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const positions = start(parts, count);
  yield { positions, done: 0 };
  const edges = new Edges(count);
  let first = 0;
  for (const part of parts) {
    const k = Math.min(NEIGHBOURS, part.count - 1);
    if (k > 0) {
      const search = neighbours(part, k);
      let found = search.next();
      for (; !found.done; found = search.next()) yield { positions, done: (0.4 * (first + found.value)) / count };
      weigh(found.value, part.count, k, first, edges);
    }
    first += part.count;
  }
  for (const [a, b] of links) edges.add(a, b, 1);
  yield* pull(positions, edges, count);
}

function start(parts, count) {
  const positions = new Float32Array(2 * count);
  const chance = random(SEED);
  let at = 0;
  let left = 0;
  parts.forEach(({ count: n, dimensions, values }) => {
    const extent = EXTENT * Math.sqrt(n / count);
    let most = 1e-9;
    for (let i = 0; i < n; i++) for (let c = 0; c < Math.min(2, dimensions); c++) most = Math.max(most, Math.abs(values[i * dimensions + c]));
    for (let i = 0; i < n; i++, at++) {
      for (let c = 0; c < 2; c++) {
        const value = c < dimensions ? values[i * dimensions + c] : 0;
        positions[2 * at + c] = (extent * value) / most + 1e-3 * (chance() - 0.5); // equal vectors must come apart
      }
      positions[2 * at] += left + extent;
    }
    left += 2 * extent;
  });
  return positions;
}

/** Find the k nearest of each point, nearest first; yields how many points are done, returns {ids, distances}. */
function* neighbours({ count: n, dimensions: d, values }, k) {
  const ids = new Int32Array(n * k).fill(-1);
  const squares = new Float32Array(n * k).fill(Infinity);
  const put = (i, j, square) => {
    let at = i * k + k - 1;
    for (; at > i * k && squares[at - 1] > square; at--) {
      squares[at] = squares[at - 1];
      ids[at] = ids[at - 1];
    }
    squares[at] = square;
    ids[at] = j;
  };
  for (let i = 0; i < n; i++) {
    const a = i * d;
    for (let j = i + 1, b = j * d; j < n; j++, b += d) {
      const limit = Math.max(squares[i * k + k - 1], squares[j * k + k - 1]);
      let square = 0;
      // The first components differ most: most pairs are told to be far apart by a few of them.
      for (let c = 0; c < d && square < limit; ) {
        const end = Math.min(c + 8, d);
        for (; c < end; c++) {
          const difference = values[a + c] - values[b + c];
          square += difference * difference;
        }
      }
      if (square < squares[i * k + k - 1]) put(i, j, square);
      if (square < squares[j * k + k - 1]) put(j, i, square);
    }
    if (i % 256 === 255) yield i;
  }
  return { ids, distances: squares.map(Math.sqrt) };
}

/** Turn distances into weights, by how far each point's own neighbours are (UMAP's smooth nearest neighbours). */
function weigh({ ids, distances }, n, k, first, edges) {
  const wanted = Math.log2(k + 1);
  const one = new Map();
  for (let i = 0; i < n; i++) {
    const nearest = distances[i * k];
    let low = 0;
    let high = Infinity;
    let width = 1;
    for (let step = 0; step < 48; step++) {
      let sum = 0;
      for (let c = 0; c < k; c++) sum += Math.exp(-(distances[i * k + c] - nearest) / width);
      if (Math.abs(sum - wanted) < 1e-4) break;
      if (sum > wanted) high = width;
      else low = width;
      width = high === Infinity ? width * 2 : (low + high) / 2;
    }
    for (let c = 0; c < k; c++) {
      const j = ids[i * k + c];
      const weight = Math.exp(-(distances[i * k + c] - nearest) / Math.max(width, 1e-6));
      const key = i < j ? i * n + j : j * n + i;
      const other = one.get(key);
      one.set(key, other === undefined ? weight : other + weight - other * weight); // either of both says so
    }
  }
  for (const [key, weight] of one) edges.add(first + Math.floor(key / n), first + (key % n), weight);
}

class Edges {
  constructor(count) {
    this.heads = [];
    this.tails = [];
    this.weights = [];
    this.count = count;
  }

  add(head, tail, weight) {
    this.heads.push(head);
    this.tails.push(tail);
    this.weights.push(weight);
  }
}

/** Pull the ends of edges together and push others apart, by stochastic gradient descent. */
function* pull(positions, { heads, tails, weights }, count) {
  const epochs = count > 4000 ? 200 : 400;
  const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const every = Float32Array.from(weights, (weight) => heaviest / weight); // epochs between two turns of an edge
  const next = every.slice();
  const chance = random(SEED);
  const shown = Math.max(1, Math.round(epochs / 50));
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const rate = 1 - (epoch - 1) / epochs;
    for (let edge = 0; edge < next.length; edge++) {
      if (next[edge] > epoch) continue;
      next[edge] += every[edge];
      const a = 2 * heads[edge];
      const b = 2 * tails[edge];
      let x = positions[a] - positions[b];
      let y = positions[a + 1] - positions[b + 1];
      let force = (-2 / (1 + x * x + y * y)) * rate;
      positions[a] += force * x;
      positions[a + 1] += force * y;
      positions[b] -= force * x;
      positions[b + 1] -= force * y;
      for (let n = 0; n < NEGATIVES; n++) {
        const c = 2 * Math.floor(chance() * count);
        if (c === a) continue;
        x = positions[a] - positions[c];
        y = positions[a + 1] - positions[c + 1];
        const square = x * x + y * y;
        force = 2 / ((NEAREST + square) * (1 + square));
        positions[a] += rate * Math.min(MOST, Math.max(-MOST, force * x));
        positions[a + 1] += rate * Math.min(MOST, Math.max(-MOST, force * y));
      }
    }
    gather(positions, 1 - GRAVITY * rate);
    if (epoch % shown === 0 || epoch === epochs) yield { positions, done: 0.4 + (0.6 * epoch) / epochs };
  }
}

/** Move all points towards their middle. */
function gather(positions, by) {
  for (const axis of [0, 1]) {
    let middle = 0;
    for (let at = axis; at < positions.length; at += 2) middle += positions[at];
    middle /= positions.length / 2;
    for (let at = axis; at < positions.length; at += 2) positions[at] = middle + (positions[at] - middle) * by;
  }
}

/** Marsaglia's xorshift: numbers of 0 to 1, the same for the same seed. */
function random(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}
