// Lays six groups of points out twice, and a single one that is linked to the first; tells what came of it.
async () => {
  const { layout } = await import("/page/map-layout.js");
  let seed = 7;
  const next = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  const [n, d, groups, k] = [300, 8, 6, 10];
  const middles = Array.from({ length: groups * d }, () => next() * 4);
  const values = Float32Array.from({ length: n * d }, (_, at) => middles[(Math.floor(at / d) % groups) * d + (at % d)] + next());
  const parts = [
    { count: n, dimensions: d, values },
    { count: 1, dimensions: 1, values: new Float32Array([1]) },
  ];
  const lay = () => {
    const done = [];
    let positions;
    for (const state of layout(parts, [[0, n]])) {
      done.push(state.done);
      positions = [...state.positions];
    }
    return { positions, done };
  };
  const [first, second] = [lay(), lay()];
  const at = first.positions;
  const far = (i, j) => (at[2 * i] - at[2 * j]) ** 2 + (at[2 * i + 1] - at[2 * j + 1]) ** 2;
  let same = 0;
  for (let i = 0; i < n; i++) {
    const others = [...Array(n).keys()].filter((j) => j !== i);
    const nearest = others.sort((a, b) => far(i, a) - far(i, b)).slice(0, k);
    same += nearest.filter((j) => j % groups === i % groups).length;
  }
  return {
    equal: String(at) === String(second.positions),
    finite: at.every(Number.isFinite),
    share: same / n / k,
    done: first.done,
  };
}
