// What one would write by hand in an afternoon: parse, pick a variant, stringify. No auth, config, record or failover.
export default {
  async fetch(request, env) {
    const body = await request.json();
    let hash = 0;
    for (const char of body.user ?? "") hash = (hash * 31 + char.codePointAt(0)) >>> 0;
    body.model = hash % 2 ? "model-a" : "model-b";
    delete body.metadata;
    return fetch(env.UPSTREAM, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer upstream-key" },
      body: JSON.stringify(body),
      signal: request.signal,
    });
  },
};
