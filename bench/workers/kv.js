// A KV namespace as workerd's `kvNamespace` binding speaks to it (HTTP), out of constants plus what was written since.
const written = new Map();

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const key = decodeURIComponent(url.pathname.slice(1));
    if (request.method === "PUT") {
      written.set(key, { value: await request.text(), metadata: request.headers.get("CF-KV-Metadata") });
      return new Response();
    }
    if (request.method === "DELETE") {
      written.delete(key);
      return new Response();
    }
    if (request.method === "POST") return bulk(await request.json(), env);
    return key === "" ? list(url.searchParams.get("prefix") ?? "", env) : get(key, env);
  },
};

function find(key, env) {
  const constant = env.DOCUMENTS[key];
  return written.get(key) ?? (constant === undefined ? undefined : { value: constant, metadata: null });
}

function get(key, env) {
  const entry = find(key, env);
  if (entry === undefined) return new Response("Not Found", { status: 404 });
  return new Response(entry.value, { headers: entry.metadata === null ? {} : { "CF-KV-Metadata": entry.metadata } });
}

function list(prefix, env) {
  const names = new Set([...Object.keys(env.DOCUMENTS), ...written.keys()]);
  const keys = [...names].filter((name) => name.startsWith(prefix)).sort().map((name) => ({ name }));
  return Response.json({ keys, list_complete: true, cacheStatus: null });
}

function bulk({ keys, type, withMetadata }, env) {
  const read = (key) => {
    const entry = find(key, env);
    if (entry === undefined) return null;
    const value = type === "json" ? JSON.parse(entry.value) : entry.value;
    return withMetadata ? { value, metadata: entry.metadata && JSON.parse(entry.metadata) } : value;
  };
  return Response.json(Object.fromEntries(keys.map((key) => [key, read(key)])));
}
