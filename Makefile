# One target for each task of a developer. `make help` lists them.
#
# CLUSTER=local (default): a cluster on this machine, started when needed.
# CLUSTER=current: the cluster of your KUBECONFIG; IMAGE_PREFIX names the registry folder that maptask-operator and
# image-augmentation were pushed to, and CHART_VALUES a file of values for the chart, if it needs any.
export CLUSTER ?= local
CARGO ?= cargo

.PHONY: help bench cli demo test lint test-unit test-simulation test-mutants mutants test-cluster test-kueue test-faults soak cluster clean-cluster install image crds manifests book release

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

demo: ## start a cluster if needed, install the chart, run an example to its end
	@scripts/demo.sh

test: lint test-unit test-simulation test-mutants test-cluster test-faults ## everything

lint: ## format, clippy, docs, generated CRD, chart, scripts
	@scripts/lint.sh

# --workspace everywhere: with less of it, dependencies get other features and are built again.
test-unit: ## unit and property tests, and allocations of the core; no cluster
	$(CARGO) test --quiet --locked --workspace --lib --bins
	$(CARGO) test --quiet --locked --workspace --test exec
	$(CARGO) test --quiet --locked --workspace --test memory
	$(CARGO) test --quiet --locked --workspace --test book
	$(CARGO) test --quiet --locked --workspace --bench hot

# Worlds are small and short-lived. Without this, glibc returns their memory to the kernel again and again, which takes two
# thirds of the time.
test-simulation soak: export MALLOC_TRIM_THRESHOLD_ = 2000000000

test-simulation: ## the core in 10,000 simulated worlds, and in 1,000 with workers
	$(CARGO) test --quiet --locked --workspace --test simulation
	$(CARGO) test --quiet --locked --workspace --test workers

# Covers only lines that differ from main. Without a difference, or without main, it does nothing.
test-mutants: ## mutation testing of the changed lines of src/core, for at most 5 minutes
	@MUTANTS_IN=lines MUTANTS_MINUTES=5 scripts/mutants.sh

mutants: ## mutation testing of the changed files of src/core (BASE=rev, or scripts/mutants.sh FILE...)
	@scripts/mutants.sh

test-kueue: ## tasks of the real Kueue and MultiKueue, which is built once: three and a half minutes of CPU
	@scripts/test-kueue.sh

test-cluster: ## the installed operator on a real cluster
	@scripts/test-cluster.sh

test-faults: ## 16 runs that kill the operator behind a faulty proxy (FAULT_SEED=n: one)
	@scripts/test-faults.sh

soak: ## 500,000 new worlds, 50,000 with workers, 20 kills in 20,000 items, Kueue, 1,000 fault runs in FAULT_MINUTES (120)
	SIMULATION_FROM=$$(date +%Y%m%d)000000 SIMULATION_SEEDS=500000 $(CARGO) test --locked --workspace --test simulation -- --nocapture
	SIMULATION_FROM=$$(date +%Y%m%d)000000 SIMULATION_SEEDS=50000 $(CARGO) test --locked --workspace --test workers -- --nocapture
	WORKERS_KILLS=20 WORKERS_ITEMS=20000 scripts/test-cluster.sh an_operator_killed_while_workers_run
	scripts/test-kueue.sh
	FAULT_FROM=$$(date +%Y%m%d)000 FAULT_RUNS=$${FAULT_RUNS:-1000} FAULT_MINUTES=$${FAULT_MINUTES:-120} scripts/test-faults.sh

bench: ## compare MapTask, Indexed Job and others, for docs/benchmarks (BENCH_SHAPES, BENCH_ROUNDS)
	@scripts/bench.sh
	$(CARGO) bench --quiet --locked --bench growth

cluster: ## start the local cluster
	@cluster/cluster.sh up

clean-cluster: ## stop every local cluster and leave nothing running
	@cluster/cluster.sh down --all

install: ## build the image and install the chart
	@scripts/install.sh

image: ## build the operator's image with docker, podman or buildah
	@scripts/image.sh operator

cli: ## build kubectl-maptask as a static binary, with an archive and a manifest for krew
	@scripts/cli.sh

crds: ## generate the CRD into crds/ and the chart, and the reference of the book
	@scripts/crds.sh

book: ## build the book of docs/ into target/book and check its links
	@scripts/book.sh

manifests: ## generate install.yaml and the chart's README from the chart
	@scripts/manifests.sh

release: ## make images, chart, command line and notes of this commit in target/release-VERSION; publishes nothing
	@scripts/release.sh
