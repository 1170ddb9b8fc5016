# The tasks of the project. `make` lists them; each says what it does.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# The program, built before if need be, wherever cargo puts it.
RECTIFY := cargo run --quiet --bin rectify --

.PHONY: help run test client bench check deny schema fmt doc assets advisories sbom compose-up compose-down

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## Start the demo: embedded SQLite in ./data, invented ledger, reminders as files, GraphiQL on http://127.0.0.1:8080
	@echo "== building (the first time takes some minutes)"
	cargo build --bin rectify
	@echo "== filling ./data/rectify.db with the demo ledger, unless it holds one"
	test -e data/rectify.db || $(RECTIFY) demo
	@echo "== queueing today's reminders; the server below sends them to ./data/mail (.eml and .html)"
	for job in overdue due-soon quarterly-self-inspection propose-listing escalation case-due-soon case-overdue; do \
	  echo "$$job: $$($(RECTIFY) job run $$job | tail -n 1)"; done
	@echo "== serving until you press Ctrl-C"
	$(RECTIFY) serve

test: ## Run all tests on SQLite and PostgreSQL, with a real SMTP server; installs what is missing with apt-get
	tests/with-servers cargo test --workspace --locked

client: ## Check the TypeScript client of examples/board and run it against a demo
	tests/client

bench: ## Measure the read side beside hand-written SQL and PostGraphile; RECTIFY_BENCH_POSTGRES names a PostgreSQL on this machine
	cargo bench --bench read_side -- --write docs/performance.md

check: deny ## Formatting, lints and documentation, warnings refused; advisories where cargo-deny is installed
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

deny: ## Ask cargo-deny for advisories, licences and sources, where it is installed; the tests ask the checked-in list
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check; \
	  else echo "cargo-deny is not installed: tests/stories/supply_chain.rs asks tests/advisories.txt instead"; fi

schema: ## Write api/schema.graphql anew
	$(RECTIFY) schema > api/schema.graphql.new && mv api/schema.graphql.new api/schema.graphql

fmt: ## Format the code
	cargo fmt --all

doc: ## Build the code's documentation and say where it is
	cargo doc --workspace --no-deps --document-private-items
	@echo "target/doc/rectify/index.html"

assets: ## Fetch GraphiQL and React from npm, in the versions of api/assets/renew, and write their hashes anew
	api/assets/renew

advisories: ## Write tests/advisories.txt from RustSec's database; ADVISORIES=FOLDER names a clone of it
	tests/renew-advisories $(ADVISORIES)

sbom: ## Build the program with the list of its crates in it, and write that as target/rectify.cdx.json (CycloneDX)
	command -v cargo-auditable >/dev/null || cargo install --locked --version 0.7.7 cargo-auditable
	command -v auditable2cdx >/dev/null || cargo install --locked --version 0.1.0 auditable2cdx
	cargo auditable build --release --locked --bin rectify
	auditable2cdx target/release/rectify > target/rectify.cdx.json
	@echo target/rectify.cdx.json

compose-up: ## Start PostgreSQL, API, scheduler and mail catcher
	docker compose up --build --detach

compose-down: ## Stop them; the data stays
	docker compose down
