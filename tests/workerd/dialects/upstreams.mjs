// The gateway with a downstream of each dialect, and the routers to them.
import { UPSTREAM_KEY } from '../upstream.mjs';

/** Downstreams `<dialect>-up`, each below a path of its own of the upstream, and each of one dialect. */
export function fourUpstreams(upstream, dialects = ['openai', 'anthropic', 'openai_responses', 'gemini']) {
  return {
    downstreams: dialects.map((dialect) => {
      const id = downstreamOf(dialect);
      return { id, base_url: `${upstream.origin}/${id}`, api_key: UPSTREAM_KEY, api_formats: [dialect], output_model_ids: [] };
    }),
    rules: [],
  };
}

/** A dialect's downstream. */
export function downstreamOf(dialect) {
  return `${dialect.replace('_', '-')}-up`;
}

/** The name of the router that an app calls in place of a model. */
export function routerTo(model, dialect) {
  return `${model}-to-${dialect.replace('_', '-')}`;
}
