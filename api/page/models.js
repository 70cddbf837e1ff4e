// Which models the server has beside those that search.

import { within } from "./client.js";

const asked = new Map(); // library -> promise of their kinds

/** Whether a library, "" for the one that is shown, has a model of a kind, such as `checker`. */
export async function hasModel({ client, state }, kind, library = "") {
  const name = library || state.library;
  if (!asked.has(name)) {
    const kinds = kindsOf(client, name);
    asked.set(name, kinds);
    kinds.catch(() => asked.delete(name));
  }
  return asked.get(name).then((kinds) => kinds.has(kind), () => false);
}

// Several that are searched as one have none together.
async function kindsOf(client, name) {
  if (!name && (await client.get("/v1/libraries")).together) return new Set();
  const { data } = await client.get(within(name, "/v1/models"));
  return new Set(data.map((model) => model.kind));
}
