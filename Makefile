# Spool. `make help` says what there is; every target installs what it needs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
TOOL := go tool -modfile=tools/go.mod
PLATFORMS := linux/amd64 linux/arm64 darwin/arm64

# Programs that are called while Spool runs, and those that only its tests call.
RUN_NEEDS := ffmpeg ffprobe yt-dlp
TEST_NEEDS := $(RUN_NEEDS) gcc chromium npm openssl groff
ifeq ($(shell uname -s),Linux)
TEST_NEEDS += strace fusermount3 sshd swift-proxy-server memcached redis-server rabbitmq-server nats-server systemd-analyze
endif

SOAK_NEEDS := $(TEST_NEEDS) smbd apache2 pyftpdlib curl python3-redis php-redis

.PHONY: help
help: ## print this list
	@echo "Spool $(VERSION)"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## build bin/spool: static, one file
	@CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o bin/spool ./cmd/spool

.PHONY: demo
demo: build ## make three clips, publish them as a website's, and watch them
	@scripts/install-deps $(RUN_NEEDS)
	@bin/spool demo

.PHONY: test
test: ## all tests with the race detector, then the linter; skipped tests are named
	@scripts/install-deps $(TEST_NEEDS)
	@scripts/test
	@$(MAKE) --no-print-directory lint

.PHONY: torture
torture: ## publish sources at their worst, odd, broken and hostile; a part of test
	@scripts/install-deps ffmpeg ffprobe $(filter strace,$(TEST_NEEDS))
	@SPOOL_TORTURE=all $(TOOL) gotestsum --format testname -- -count=1 -run '^TestTorture$$' ./cmd/spool

.PHONY: soak
soak: ## what is too long for test: the tests named TestSoak…, and more kills, for hours
	@scripts/install-deps $(SOAK_NEEDS)
	@SPOOL_SOAK=1 go test -race -tags soak -run '^(TestSoak|TestPulledPlug)' -timeout 6h -v ./...

.PHONY: bench
bench: build ## the figures that Spool promises; ONLY=batch,kill for some, FLAGS=-help for more
	@scripts/install-deps $(RUN_NEEDS) chromium $(filter strace redis-server rabbitmq-server,$(TEST_NEEDS))
	@go run ./bench -spool bin/spool $(if $(ONLY),-only $(ONLY)) $(FLAGS)

.PHONY: lint
lint: ## golangci-lint, pinned in tools/go.mod; .golangci.yml says why it is as it is
	@$(TOOL) golangci-lint run ./...

.PHONY: fmt
fmt: ## format all Go files with gofumpt
	@$(TOOL) golangci-lint fmt ./...

.PHONY: dist
dist: build ## an archive for every platform in dist/, with manual page and completions, and SHA-256 sums
	@scripts/dist "$(VERSION)" $(PLATFORMS) -- $(GOFLAGS_BUILD)
