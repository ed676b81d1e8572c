// The measure of all things here: the least that a gateway on Workers can do.
export default {
  fetch(request, env) {
    return fetch(env.UPSTREAM, request);
  },
};
