# The commands of the project. Each installs what it misses; the work is in scripts/.

.DEFAULT_GOAL := help
.PHONY: help dev test bench build clean needs-node

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST) | expand -t 16

dev: needs-node ## Run the worker here with demo models, on 127.0.0.1:8787 (PORT= for another)
	@exec node scripts/dev.mjs

test: needs-node ## Formatting, lints, native tests, the built worker, tests in workerd
	@exec node scripts/test.mjs

bench: needs-node ## Measure the cost of a call, side by side (ARGS= for its options)
	@exec node scripts/bench.mjs $(ARGS)

build: needs-node ## Build the worker into build/
	@exec node scripts/build.mjs

clean: ## Remove what was built and installed; .dev.vars and the local KV stay
	rm -rf build target node_modules .wrangler/tmp

needs-node:
	@command -v node >/dev/null && command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || \
		{ echo "Node.js 20 or newer with npm is needed: install it from https://nodejs.org, then run this again." >&2; exit 1; }
