# What each target does is in the script that it calls.
.DEFAULT_GOAL := help
.PHONY: help run up down stop-all test check sqlx bench screenshots images image clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 14

run: ## set the machine up, build, and run the portal on https://localhost:8443 (Ctrl-C stops it, never the databases)
	@dev/run.sh

up: ## the same in the background; returns when it is ready
	@dev/up.sh

down: ## stop the portal in the background
	@dev/down.sh

stop-all: ## stop it and this instance's containers; their data stays
	@dev/down.sh --all

test: ## all tests, with everything that they need
	@dev/test.sh $(ARGS)

check: ## format, lints, documentation, unused dependencies, scripts, compose file
	@dev/check.sh

sqlx: ## describe the statements for mydb_admin anew (.sqlx); after a change of a statement or a migration
	@dev/sqlx.sh

bench: ## measure against the bars
	@dev/bench.sh $(ARGS)

screenshots: ## make the pictures in docs/ anew
	@dev/screenshots.sh

images: ## pull or build the database images of dev mode
	@dev/engine.sh && dev/images/build.sh

image: ## build the portal's own image, db4sci:dev
	@dev/image-portal.sh

clean: ## remove all that this checkout made; asks first
	@dev/clean.sh
