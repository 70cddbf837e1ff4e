// The page's one way to its server: JSON in and out, problems as errors, and the key.

/** What a server answers where it can't do what it is asked; `status` 0 where there is no answer at all, `type` its kind. */
export class Problem extends Error {
  constructor(status, title, detail, type = "") {
    super(detail || title);
    this.status = status;
    this.title = title;
    this.type = type;
  }
}

const KEY = "quarry.key";

export class Client {
  /** The API key of this tab, "" where none is needed. */
  get key() {
    return sessionStorage.getItem(KEY) ?? "";
  }

  set key(key) {
    if (key) sessionStorage.setItem(KEY, key);
    else sessionStorage.removeItem(KEY);
  }

  /** The library that routes are of, "" for the server's first. */
  library = "";

  /** Where a route of the library is; one that names a library itself is of that. */
  at(path) {
    return path.startsWith("/v1/libraries") ? path : within(this.library, path);
  }

  /** The headers that a request of one's own must carry, such as one by XMLHttpRequest. */
  get headers() {
    return this.key ? { Authorization: `Bearer ${this.key}` } : {};
  }

  /** Get JSON. `parameters` is an object; what is undefined is left out, a list is repeated. */
  get(path, parameters = {}, { signal } = {}) {
    return this.json(path + queryOf(parameters), { signal });
  }

  post(path, body, { signal } = {}) {
    return this.json(path, { method: "POST", body: JSON.stringify(body), type: "application/json", signal });
  }

  delete(path, { signal } = {}) {
    return this.json(path, { method: "DELETE", signal });
  }

  /** Send anything, and take JSON. Throws `Problem`, or an AbortError. */
  async json(path, options) {
    const response = await this.send(path, options);
    try {
      return await response.json();
    } catch (error) {
      throw error.name === "AbortError" ? error : new Problem(0, "", String(error.message));
    }
  }

  /** Send anything, and take the response, whose body may be read as it comes. Throws `Problem`, or an AbortError. */
  async send(path, { method = "GET", body, type, signal } = {}) {
    const headers = { ...this.headers, ...(type && { "Content-Type": type }) };
    let response;
    try {
      response = await fetch(this.at(path), { method, headers, body, signal });
    } catch (error) {
      throw error.name === "AbortError" ? error : new Problem(0, "", String(error.message));
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({ title: response.statusText }));
    throw new Problem(response.status, problem.title, problem.detail, problem.type);
  }

  /** Show a picture of the server in an <img>, which can't send a key by itself. */
  async show(image, path) {
    if (!this.key) {
      image.src = this.at(path);
      return;
    }
    try {
      const url = URL.createObjectURL(await (await this.send(path)).blob());
      image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
      image.src = url;
    } catch (error) {
      image.dispatchEvent(new Event("error"));
    }
  }
}

/** Where a route of a library is, by its name: of the one that is open for "". */
export function within(library, path) {
  return library ? path.replace("/v1/", `/v1/libraries/${encodeURIComponent(library)}/`) : path;
}

/** Have the browser save a file of the server, by the name that this gives it. */
export async function save(client, path) {
  const response = await client.send(path);
  const named = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = named ? decodeURIComponent(named) : "";
  link.click();
  URL.revokeObjectURL(url);
}

/** Write parameters as the end of a URL, "" or beginning with "?". */
export function queryOf(parameters) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined && one !== null) given.append(name, one);
  const text = given.toString();
  return text && `?${text}`;
}
