// Which models the server has beside those that search.

const asked = new Map(); // library -> promise of their kinds

/** Whether the library that is shown has a model of a kind, such as `checker`. */
export async function hasModel({ client, state }, kind) {
  if (!asked.has(state.library)) {
    const kinds = client.get("/v1/models").then(({ data }) => new Set(data.map((model) => model.kind)));
    asked.set(state.library, kinds);
    kinds.catch(() => asked.delete(state.library));
  }
  return asked.get(state.library).then((kinds) => kinds.has(kind), () => false);
}
