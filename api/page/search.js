// The view of a search.

export function open(container, app) {}

export function close() {}
