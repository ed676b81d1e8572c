export const EXCEPTIONS = [];
