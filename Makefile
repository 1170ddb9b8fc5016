# The project's tasks. `make` lists them with what each does.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Runs the program, after building it if necessary.
RECTIFY := cargo run --quiet --bin rectify --

.PHONY: help run story test book settings client bench growth bench-import bench-mail chaos failover failures load lint check deny schema shots fmt doc assets advisories sbom compose-up compose-down

help: ## List the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: ## Start the demo: SQLite in ./data, invented ledger, reminders as files, pages at http://127.0.0.1:8080
	@echo "== building (the first build takes a few minutes)"
	cargo build --bin rectify
	@echo "== creating the demo ledger in ./data/rectify.db, unless the file exists"
	test -e data/rectify.db || $(RECTIFY) demo
	@echo "== running each job for today; mails go to ./data/mail (.eml and .html)"
	for job in $$($(RECTIFY) job list | grep -oE '^[a-z-]+'); do echo "$$job: $$($(RECTIFY) job run $$job | tail -n 1)"; done
	@echo "== serving until you press Ctrl-C"
	$(RECTIFY) serve

story: ## Run stories on SQLite, without root and other servers; F=mail:: runs those whose names contain it
	env -u RECTIFY_TEST_POSTGRES -u RECTIFY_TEST_ALL cargo test --test stories --locked $(F)

test: ## Run all tests on SQLite and PostgreSQL with a real SMTP server; installs missing servers with apt-get
	tests/with-servers cargo test --workspace --locked

book: ## Make a book of the documentation with mdBook: target/book/index.html
	docs/make-book

settings: ## Regenerate the list of settings in docs/configure.md
	INSTA_UPDATE=always $(MAKE) story F=book::the_settings_are_listed

client: ## Check the TypeScript clients in examples and run them against a demo server; installs Chromium if necessary
	tests/client

bench: ## Compare reads with hand-written SQL, PostGraphile and pg_graphql, on the local PostgreSQL in RECTIFY_BENCH_POSTGRES
	cargo bench --bench read_side -- --write docs/performance.md

growth: ## List the typical requests of every role that grow with the ledger, with plans (RECTIFY_BENCH_POSTGRES)
	cargo bench --bench read_side -- --growth

bench-import: ## Compare the import of 20,000 rows with a plain script that writes them by COPY (RECTIFY_BENCH_POSTGRES)
	cargo bench --bench import

bench-mail: ## Compare delivery with a bare loop over lettre, on PostgreSQL (RECTIFY_BENCH_POSTGRES) or SQLite
	cargo bench --bench mail

chaos: ## Kill three schedulers 100 times while they deliver to servers that misbehave (RECTIFY_BENCH_POSTGRES), and count
	cargo bench --bench mail -- --chaos 100 --connections 1

failover: ## Prove that a failover of PostgreSQL under Patroni loses nothing that was acknowledged
	cargo build --bin rectify
	deploy/failover

load: ## Ask a server over the national demo at fixed rates, with a release build; needs oha; SOAK=60 for an hour at half of what it holds
	cargo build --release --bin rectify
	RECTIFY=target/release/rectify deploy/load

failures: ## Bring failures about (database, disk, mail server, kills), and print what users get and what is lost; as root
	cargo build --bin rectify
	deploy/failures

lint: ## Check formatting, lints and documentation, with warnings as errors; spelling if typos is installed
	cargo fmt --all --check
	tests/line-length
	@if command -v typos >/dev/null; then typos; else echo "typos is not installed; CI checks the spelling"; fi
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --document-private-items

check: lint deny ## Do both of lint and deny

deny: ## Check advisories, licences and sources with cargo-deny, if installed; the tests use a checked-in list instead
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check; \
	  else echo "cargo-deny is not installed; tests/stories/supply_chain.rs checks tests/advisories.txt instead"; fi

schema: ## Regenerate api/schema.graphql
	$(RECTIFY) schema > api/schema.graphql.new && mv api/schema.graphql.new api/schema.graphql

shots: ## Take the pictures of docs/desk.md from the demo that `make run` serves; AT=ADDRESS and MAILS=FOLDER use another
	docs/desk/shoot $(or $(AT),http://127.0.0.1:8080) $(or $(MAILS),data/mail)

fmt: ## Format the code
	cargo fmt --all

doc: ## Build the API documentation of the code and print its path
	cargo doc --workspace --no-deps --document-private-items
	@echo "target/doc/rectify/index.html"

assets: ## Fetch GraphiQL, its explorer, React and ECharts from npm in the versions set in tests/renew-assets, and update their hashes
	tests/renew-assets

advisories: ## Regenerate tests/advisories.txt from the RustSec database; ADVISORIES=FOLDER uses a clone of it
	tests/renew-advisories $(ADVISORIES)

sbom: ## Build the program with its crate list embedded, and write the list to target/rectify.cdx.json (CycloneDX)
	command -v cargo-auditable >/dev/null || cargo install --locked --version 0.7.7 cargo-auditable
	command -v auditable2cdx >/dev/null || cargo install --locked --version 0.1.0 auditable2cdx
	cargo auditable build --release --locked --bin rectify
	auditable2cdx target/release/rectify > target/rectify.cdx.json
	@echo target/rectify.cdx.json

compose-up: ## Start PostgreSQL, the API, the scheduler, Caddy and a catcher of mails with Docker Compose
	test -e .env || cp .env.example .env
	docker compose up --build --detach

compose-down: ## Stop them, keeping the data
	docker compose down
