// Which points of a map have one colour, and what the groups are called.

export const OTHERS = 8; // groups with a colour of their own; the rest share one
const STEPS = [0.6, 0.3, 0.1, 0]; // of relevance

/**
 * The folder of each document: of all ways to cut the tree of folders, one with about as many parts as there are
 * colours, the largest of which was cut first.
 */
export function foldersOf(documents) {
  const paths = documents.map(({ uri }) => (/^(file:\/\/)?\//.test(uri) ? uri.replace(/^file:\/\//, "").split("#")[0].split("/").slice(1, -1) : []));
  let parts = [{ depth: 0, members: paths.map((_, at) => at), whole: false }];
  while (parts.length < OTHERS) {
    const part = parts.filter(({ whole }) => !whole).reduce((a, b) => (a && a.members.length >= b.members.length ? a : b), null);
    if (!part) break;
    const below = new Map();
    for (const at of part.members) {
      const name = paths[at][part.depth];
      below.set(name, [...(below.get(name) ?? []), at]);
    }
    const cut = [...below].map(([name, members]) => ({ depth: part.depth + (name !== undefined), members, whole: name === undefined }));
    parts = [...parts.filter((one) => one !== part), ...cut];
  }
  const names = [];
  for (const part of parts) {
    const shared = ({ depth, members }) => paths[members[0]][depth] !== undefined && members.every((at) => paths[at][depth] === paths[members[0]][depth]);
    while (part.members.length && shared(part)) part.depth++; // the folder that they really are in
  }
  for (const { depth, members } of parts) for (const at of members) names[at] = paths[at].slice(0, depth).at(-1) ?? "";
  return names;
}

/** Return {groups: of each point, named: [{name, count, colour}]}, the largest first; colours are CSS properties. */
export function groupsOf(points, by, relevance, words) {
  if (by === "kind") return counted(points, (point) => (point.medium === "text" ? 0 : 1), [words.say("texts"), words.say("pictures")]);
  if (by === "relevance") return byRelevance(points, relevance, words);
  const sizes = new Map();
  for (const { folder } of points) sizes.set(folder, (sizes.get(folder) ?? 0) + 1);
  const largest = [...sizes].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([folder]) => folder);
  const own = largest.slice(0, OTHERS);
  const place = new Map(own.map((folder, at) => [folder, at]));
  const names = own.map((folder) => folder || words.say("map_loose"));
  if (largest.length > OTHERS) names.push(words.say("map_others", { n: largest.length - OTHERS }));
  return counted(points, ({ folder }) => place.get(folder) ?? OTHERS, names);
}

function counted(points, group, names) {
  const named = names.map((name, at) => ({ name, count: 0, colour: at === OTHERS ? "--map-rest" : `--map-${at}` }));
  const groups = Uint8Array.from(points, (point) => {
    const at = group(point);
    named[at].count++;
    return at;
  });
  return { groups, named };
}

function byRelevance(points, relevance, words) {
  const named = STEPS.map((least, at) => ({ name: words.say("map_from", { percent: Math.round(least * 100) }), count: 0, colour: `--map-step-${at}` }));
  named.push({ name: words.say(relevance ? "map_not_found" : "map_no_search"), count: 0, colour: "--map-rest" });
  const groups = new Uint8Array(points.length);
  points.forEach((_, at) => {
    const value = relevance?.get(at);
    groups[at] = value === undefined ? STEPS.length : STEPS.findIndex((least) => value >= least);
    named[groups[at]].count++;
  });
  return { groups, named };
}
