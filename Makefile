# What each target does is in the script that it calls.
.DEFAULT_GOAL := help
.PHONY: help run up down stop-all test check sqlx bench screenshots images image clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

run: ## set up the machine, build, and run the portal on https://localhost:8443 (Ctrl-C stops it, never the databases)
	@dev/run.sh

up: ## run the portal in the background; returns when it is ready
	@dev/up.sh

down: ## stop the portal running in the background
	@dev/down.sh

stop-all: ## stop the portal and this instance's containers; data is kept
	@dev/down.sh --all

test: ## run all tests, with everything they need; QUICK=1 leaves out the long ones
	@dev/test.sh $(ARGS)

check: ## check format, lints, documentation, dependencies, scripts and the compose file
	@dev/check.sh

sqlx: ## update .sqlx, the description of the statements for mydb_admin
	@dev/sqlx.sh

bench: ## run the benchmarks and compare with the limits
	@dev/bench.sh $(ARGS)

screenshots: ## update the screenshots in docs/
	@dev/screenshots.sh

images: ## pull or build the database images of dev mode
	@dev/engine.sh && dev/images/build.sh

image: ## build the portal's own image, db4sci:dev
	@dev/image-portal.sh

clean: ## remove everything this checkout created, after asking
	@dev/clean.sh
