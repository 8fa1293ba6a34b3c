# One way to do each chore. `make help` lists them.
#
# CLUSTER=local (default): a cluster of this machine, started when needed.
# CLUSTER=current: the cluster of your KUBECONFIG; IMAGE_PREFIX names the registry folder that maptask-operator and
# image-augmentation were pushed to, and CHART_VALUES a file of values for the chart, if it needs any.
export CLUSTER ?= local
CARGO ?= cargo

.PHONY: help bench demo test lint test-unit test-simulation test-mutants mutants test-cluster test-faults soak cluster clean-cluster install image crds

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

demo: ## a cluster if none is given, the operator by its chart, an example run to its end
	@scripts/demo.sh

test: lint test-unit test-simulation test-mutants test-cluster test-faults ## everything

lint: ## format, clippy, docs, generated CRD, chart, scripts
	@scripts/lint.sh

test-unit: ## rules and properties, and what the core allocates; no cluster
	$(CARGO) test --quiet --locked --workspace --lib --bins
	$(CARGO) test --quiet --locked --test memory
	$(CARGO) test --quiet --locked --bench hot

# Worlds are small and short-lived: glibc would give their memory back to the kernel again and again, for two thirds of the time.
test-simulation soak: export MALLOC_TRIM_THRESHOLD_ = 2000000000

test-simulation: ## the core in 10,000 simulated worlds
	$(CARGO) test --quiet --locked --test simulation

# Bounded, and only what differs from main: where nothing does, or there is no main, there is nothing to do.
test-mutants: ## whether a test holds each changed line of src/core: mutants, for 10 minutes at most
	@MUTANTS_IN=lines MUTANTS_MINUTES=10 scripts/mutants.sh

mutants: ## mutants of the files of src/core that a change touches (BASE=rev, or scripts/mutants.sh FILE...)
	@scripts/mutants.sh

test-cluster: ## the installed operator on a real cluster
	@scripts/test-cluster.sh

test-faults: ## the operator killed again and again behind a proxy that loses and delays, 30 times (FAULT_SEED=n: one)
	@scripts/test-faults.sh

soak: ## the simulation for 500,000 seeds, and faults for up to 1,000 within FAULT_MINUTES (120); the seeds are new each day
	SIMULATION_FROM=$$(date +%Y%m%d)000000 SIMULATION_SEEDS=500000 $(CARGO) test --locked --test simulation -- --nocapture
	FAULT_FROM=$$(date +%Y%m%d)000 FAULT_RUNS=$${FAULT_RUNS:-1000} FAULT_MINUTES=$${FAULT_MINUTES:-120} scripts/test-faults.sh

bench: ## MapTask next to an Indexed Job and a bare loop, into docs/benchmarks.md (BENCH_SHAPES, BENCH_ROUNDS)
	@scripts/bench.sh
	$(CARGO) bench --quiet --locked --bench growth

cluster: ## start the local cluster
	@cluster/cluster.sh up

clean-cluster: ## end every local cluster and leave nothing running
	@cluster/cluster.sh down --all

install: ## build the image and install the chart
	@scripts/install.sh

image: ## build the operator's image with docker, podman or buildah
	@scripts/image.sh operator

crds: ## generate the CRD into crds/ and the chart
	$(CARGO) run --quiet --locked --bin maptask-operator -- crd > target/maptasks.yaml
	cp target/maptasks.yaml crds/maptasks.yaml
	cp target/maptasks.yaml charts/maptask-operator/crds/maptasks.yaml
