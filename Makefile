# Run `make` for a list of what can be made. Needs make, git and Go; the rest is installed or built. Hosts are booted as root.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

SANDBOX := go run ./sandbox/cmd/sandbox
PLUGINS := tools/command-plugin tools/cloud-plugin
MODULES := . $(PLUGINS)
LINTER := bin/golangci-lint

# A checkout may belong to another user than the one who builds; Go then can't ask git what is built.
export GOFLAGS := $(GOFLAGS) -buildvcs=false

.PHONY: help plan up down report verify repair bans test test-unit test-e2e bench attack scan scan-fast scan-vm lint tools packages fmt

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

plan: ## STACK=name: hosts, connections and cost of a stack, from its file alone
	@go run ./topologies/cmd/plan "$(STACK)"

up: ## deploy a sentry-fronted installation on hosts of this very machine, and report
	@$(SANDBOX) up

report: ## ask the deployed installation again
	@$(SANDBOX) report

down: ## remove the hosts, their networks and the stack
	@$(SANDBOX) down
	@go run ./tests/attack/cmd/attack -sweep

verify: ## STACK=name [HOST=a,b]: compare the hosts of a deployed stack with what its deploy wanted
	@go run ./topologies/cmd/verify $(if $(HOST),-host "$(HOST)") "$(STACK)"

repair: ## STACK=name [HOST=a,b]: the same, and put back what differs
	@go run ./topologies/cmd/verify -repair $(if $(HOST),-host "$(HOST)") "$(STACK)"

bans: ## STACK=name [HOST=a,b] [ARGS="add …|remove …"]: who is banned on the sentries of a deployed stack
	@go run ./topologies/cmd/bans $(if $(HOST),-host "$(HOST)") "$(STACK)" $(ARGS)

test: ## all tests: unit tests, then deployments on real hosts
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-e2e

test-unit: packages ## the tests that boot nothing
	@echo "== unit tests"
	@go vet -tags sandbox ./...; go test ./...; echo "unit tests: $$SECONDS s"
	@for module in $(PLUGINS); do (cd $$module; go vet ./...; go test ./...); done; echo "tests of the plugins: $$SECONDS s"

test-e2e: packages ## the tests that deploy on hosts they boot
	@echo "== end-to-end tests"
	@go test -tags sandbox -count=1 -timeout 60m -p 1 -v ./sandbox/... ./tests/...

bench: packages ## seconds, connections and resources of a deployment; time and memory of large plans; builds
	@$(SANDBOX) bench
	@go test -count=1 -run '^$$' -bench PlanAndDeploy -benchtime 1x -benchmem ./topologies
	@tests/bench-build.sh

attack: packages ## ATTACK="-variants a,b -attacks c,d -runs n -seconds n": sentries under attack; writes docs/attack-report.md
	@go run ./tests/attack/cmd/attack $(ATTACK)

scan: packages ## DEVSEC=directory: what scanners say of hardened hosts, before and after; writes docs/hardening-report.md
	@go run ./sandbox/cmd/scan -devsec "$(DEVSEC)"

scan-fast: packages ## the same for one host, against the recorded scores
	@go run ./sandbox/cmd/scan -fast -profiles prep

scan-vm: packages ## a full virtual machine, scanned in an hour; kept for the page that the next scan writes
	@go run ./sandbox/cmd/scan -vm -profiles prep

lint: packages $(LINTER) ## golangci-lint, shellcheck, tidy modules
	@for module in $(MODULES); do \
	  echo "golangci-lint in $$module"; \
	  (cd "$$module" && "$(CURDIR)/$(LINTER)" run --config "$(CURDIR)/.golangci.yml" ./... && go mod tidy -diff); \
	done
	@go test -count=1 ./tests

$(LINTER): tools/lint/go.mod tools/lint/go.sum
	@echo "building golangci-lint (about 3 minutes, once)"
	@cd tools/lint && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$(CURDIR)/$@" \
	  github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

tools: ## build pulumi, its plugins and goloop, as far as they are not there
	@$(SANDBOX) tools

packages: # the Debian packages that tests and sandbox need
	@sandbox/install-packages.sh

fmt: $(LINTER) ## format the Go files
	@for module in $(MODULES); do (cd "$$module" && "$(CURDIR)/$(LINTER)" fmt --config "$(CURDIR)/.golangci.yml"); done
