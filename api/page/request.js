// A state -> the requests that answer it.

import { kept } from "./picture.js";

const NEAR = 3; // passages that an answer without one comes with

/** Search as the state says; what is in `more` is added to the request. */
export function search(app, state, more = {}, options = {}) {
  if (state.picture) return byPicture(app, state, more, options);
  return app.client.post("/v1/search", { ...asked(state), ...more }, options);
}

/** Look for exact answers. */
export function answer(app, state, options) {
  return app.client.post("/v1/answer", { query: state.query, filter: filterOf(state.filter), limit: NEAR }, options);
}

/** What makes two searches the same, whatever else of the state differs. */
export function keyOf(state) {
  const { query, mode, kind, sort, group, filter, exclude, like, unlike, picture, all } = state;
  return JSON.stringify([query.trim(), mode, kind, sort, group, filter, exclude, like, unlike, picture, all]);
}

function asked(state) {
  return {
    query: state.query,
    mode: state.mode,
    limit: state.shown,
    kinds: state.kind ? [state.kind] : undefined,
    sort: state.sort === "relevance" ? undefined : state.sort,
    group: state.group ? "document" : undefined,
    filter: filterOf(state.filter),
    exclude: listed(state.exclude),
    like: listed(state.like.map(({ id, strength }) => ({ id, strength }))),
    unlike: listed(state.unlike.map(({ id, strength }) => ({ id, strength }))),
    fold: "near",
    min_relevance: state.all ? 0 : "meant",
  };
}

/** The filter of a list of [field, value]: alternatives within a field, all fields must hold. */
export function filterOf(pairs) {
  const fields = new Map();
  for (const [field, value] of pairs) fields.set(field, [...(fields.get(field) ?? []), value]);
  if (!fields.size) return undefined;
  return { $and: [...fields].map(([field, values]) => ({ $or: values.map((value) => ({ [field]: value })) })) };
}

const listed = (list) => (list.length ? list : undefined);

function byPicture(app, state, more, options) {
  const picture = kept(state.picture);
  if (!picture) return Promise.resolve(null);
  const parameters = new URLSearchParams({ options: JSON.stringify({ ...asked(state), ...more }) });
  return app.client.json(`/v1/search/image?${parameters}`, { method: "POST", body: picture, type: picture.type || "application/octet-stream", ...options });
}
