// The main module of every gateway under measurement: the worker itself, and a second door, on a port of its own, that tells
// how many records were written. Calls do not come past it.
export { default } from "WORKER";

export const records = {
  fetch(_request, env) {
    return new Response(String(env.METRICS.points));
  },
};
