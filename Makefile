# Archipelago. `make` lists what there is to do.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
export CDK_DISABLE_CLI_TELEMETRY := true
# Go keeps what it compiled for another checkout, since no path is in it, and for
# programs, which are built so, too.
export GOFLAGS := $(strip $(filter-out -trimpath,$(GOFLAGS)) -trimpath)
# What is built here runs here, and no workspace above this module has a say. An empty
# variable would leave it to `go env -w`.
export GOWORK := off
export GOOS := $(shell cd / && go env GOHOSTOS 2>/dev/null)
export GOARCH := $(shell cd / && go env GOHOSTARCH 2>/dev/null)

# PORT is where `make up` serves the entry, 8080 if nothing is said.
PORT ?=
# ARGS are further flags of `make up`, such as "-c archipelago.fleet.min=3", and
# of `make synth`, `make cost`, `make diagram`, `make diff`, `make doctor`, `make review`,
# `make types`, `make prices`, `make simulate` and `make calibrate`.
ARGS ?=
# ACCOUNT is the AWS account that `make synth` writes into names.
ACCOUNT ?= 123456789012
# BASE is the commit that `make review` compares with.
BASE ?= main
# WAVE is the part of a deployment that `make deploy` makes: shared, a region's stack, or
# own for the app's other stacks.
WAVE ?=
# NAME is the deployment that `make drain`, `make freeze` and `make logs` are about, if
# not that of cdk.json.
NAME ?=
# DIST is where `make dist` puts what deployments publish, and ARCH is what it is
# built for: arm64, amd64.
DIST ?= dist
ARCH ?= arm64
# PYTHON runs the emulator and cfn-lint. `make setup` makes the virtual
# environment where python3 lacks them.
export PYTHON = $(shell test -x .venv/bin/python && echo $(CURDIR)/.venv/bin/python || echo python3)

.DEFAULT_GOAL := help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# need_go ends a target where there is no Go, and says what to install.
need_go = command -v go >/dev/null || { echo 'make: go is missing: install Go 1.26 or newer, https://go.dev/dl' >&2; exit 1; }

# prepare compiles and runs cmd/setup, which fetches and builds the rest. It says so
# itself where that takes long, as cmd/setup does of all else.
define prepare
@$(need_go); \
	( n=4; while sleep 4 </dev/null >/dev/null 2>&1; do echo "  … compile cmd/setup, $$n s"; n=$$((n+4)); done ) & beat=$$!; began=$$(date +%s); \
	GOFLAGS=-buildvcs=false go build -o dist/setup ./cmd/setup; built=$$?; \
	kill $$beat 2>/dev/null; test $$built = 0 || exit $$built; silent=$$(($$(date +%s) - began)); \
	test $$silent -lt 4 || { printf '  %-30s %5d s\n' 'compile cmd/setup' $$silent; silent=0; }; \
	exec dist/setup -silent $${silent}s
endef

up: ## deploy all islands into an AWS emulator on this machine and serve them
	$(prepare) -tools -build ./cmd/archipelago -warm . -- dist/archipelago up $(if $(PORT),-port $(PORT)) $(ARGS)

check: setup shellcheck ## check sources and run the tests that need no CDK, emulator or browser
	@+$(PARTS) $(CHECK)

test: setup shellcheck browser dist ## run every test; dist/artifacts has the browser's screenshots
	@mkdir -p $(DIST)/artifacts
	@+$(PARTS) $(TEST) $(CHECK)

shard: ARCH = arm64 amd64
shard: setup dist ## run one of the eight shards of the long tests: SHARD=0 to 7
	@case "$(SHARD)" in [0-7]) ;; *) echo 'make shard: name one: make shard SHARD=0, up to 7' >&2; exit 1 ;; esac
	@+$(PARTS) $(SHARD_$(SHARD))

test-all: ARCH = arm64 amd64
test-all: test ## run every test in every configuration: `make test` and its eight shards, two at a time
	@printf '%s\n' $(SHARDS) | xargs -P 2 -I SHARD $(MAKE) --no-print-directory all-SHARD

run: ## start the service alone, on an embedded store, with an account
	$(prepare) -build ./cmd/directory
	@dist/directory user add --if-none admin
	@exec dist/setup -- dist/directory

synth: ## write the CloudFormation templates to cdk.out
	$(prepare) -tools -build ./cmd/archipelago -- dist/archipelago synth -account "$(ACCOUNT)" $(ARGS)

ami: ## pin AWS's latest image of every region in cdk.json
	@$(need_go); go run ./cmd/archipelago ami

zones: ## pin the availability zones of every region in cdk.json
	@$(need_go); go run ./cmd/archipelago zones

types: ## write the table of instance types that a ladder may have, by what EC2 says
	@$(need_go); go run ./cmd/archipelago types $(ARGS)

prices: ## write the table of EC2's prices, by AWS's public lists; some regions' with ARGS='-regions eu-west-1'
	@$(need_go); go run ./cmd/archipelago prices $(ARGS)

diff: ## show what a deployment would change: on AWS with AWS_PROFILE or AWS_ACCESS_KEY_ID set, else in what `make up` runs
	$(prepare) -tools -build ./cmd/archipelago -- dist/archipelago diff $(ARGS)

doctor: ## say what a deployment would fail at in this account, of all regions or of REGION=…: on AWS with AWS_PROFILE or AWS_ACCESS_KEY_ID set, else in what `make up` runs
	$(prepare) -build ./cmd/archipelago -- dist/archipelago doctor $(if $(REGION),-region "$(REGION)") $(ARGS)

deploy: setup ## deploy on AWS: the doctor, what all regions share, one region after the other; one of these by WAVE=shared, WAVE=STACK or WAVE=own
	@test -n "$$AWS_PROFILE$$AWS_ACCESS_KEY_ID" || { echo 'make deploy: say which account: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret' >&2; exit 1; }
	go run ./cmd/archipelago doctor
	.github/scripts/deploy.sh $(WAVE)

review: ## say what the last commit does to people and data, what it risks and costs, compared with BASE=main
	$(prepare) -tools -build ./cmd/archipelago -- dist/archipelago review -base "$(BASE)" $(ARGS)

permissions: setup ## write docs/permissions.md: who may do what
	go test -run TestPermissionsPageIsCurrent ./test/templates -update

cost: ## estimate the bill of a month; another configuration's with ARGS='-c …'
	$(prepare) -tools -build ./cmd/archipelago -- dist/archipelago synth -account "$(ACCOUNT)" $(ARGS)
	@dist/archipelago cost

diagram: ## draw the islands to docs/islands.svg; another configuration's with ARGS='-c …'
	$(prepare) -tools -build ./cmd/archipelago -- dist/archipelago synth -account "$(ACCOUNT)" $(ARGS)
	@dist/archipelago diagram

simulate: ## play a load against the fleet of cdk.json and report on it: TRACE=scaling/traces/wave.csv
	@test -n "$(TRACE)" || { echo 'make simulate: name a load: make simulate TRACE=scaling/traces/wave.csv' >&2; exit 1; }
	@mkdir -p $(DIST)
	@$(need_go); go run ./cmd/archipelago simulate -trace $(TRACE) -out $(DIST)/$(basename $(notdir $(TRACE))).html $(ARGS)

calibrate: ## find how many requests an instance takes on, for fleet.requestsPerTarget and fleet.cpuTarget
	@mkdir -p $(DIST)
	@$(need_go); go run ./cmd/calibrate -out $(DIST)/calibrate.svg $(ARGS)

drain: ## move users away from REGION=…; back with OFF=1: on AWS with AWS_PROFILE or AWS_ACCESS_KEY_ID set, else in what `make up` runs
	$(prepare) -build ./cmd/archipelago -- dist/archipelago drain -region "$(REGION)" $(if $(NAME),-name "$(NAME)") $(if $(OFF),-off)

freeze: ## keep the instance type of REGION=…; let it change again with OFF=1: on AWS with AWS_PROFILE or AWS_ACCESS_KEY_ID set, else in what `make up` runs
	$(prepare) -build ./cmd/archipelago -- dist/archipelago freeze -region "$(REGION)" $(if $(NAME),-name "$(NAME)") $(if $(OFF),-off)

logs: ## show what the instances of REGION=… print, on AWS with AWS_PROFILE or AWS_ACCESS_KEY_ID set; go on with FOLLOW=1
	$(prepare) -build ./cmd/archipelago -- dist/archipelago logs -region "$(REGION)" $(if $(NAME),-name "$(NAME)") $(if $(FOLLOW),-follow)

bench: setup ## measure what docs/figures.md says
	@$(MAKE) dist ARCH=$$(go env GOARCH)
	go test -run none -bench . -benchtime 5x ./bench

setup: ## fetch the CDK CLI, Node and the emulator
	$(prepare) -tools

shellcheck: ## install shellcheck and jq, which `make check` needs
	@command -v shellcheck >/dev/null && command -v jq >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get -qq update && apt-get -qq install --no-install-recommends shellcheck jq >/dev/null; } || { \
		echo 'make shellcheck: `make check` needs shellcheck and jq: install them, on Debian by: sudo apt-get install shellcheck jq' >&2; exit 1; }

browser: ## install Chromium, which the browser tests drive
	@command -v chromium >/dev/null || { \
		test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
		apt-get -qq update && apt-get -qq install --no-install-recommends chromium >/dev/null; } || { \
		echo 'make browser: the browser tests need chromium: install it, on Debian by: sudo apt-get install chromium' >&2; exit 1; }

# The service and the functions, for ARCH. Deployments build what they publish by
# themselves.
dist:
	@$(need_go); go run ./cmd/dist -dir $(DIST) $(ARCH)

# The parts of `make check`, `make test` and `make shard`, three at a time, the long
# ones first. Each prints what it did and its time; all run, whatever fails.
PARTS = $(MAKE) --keep-going --jobs=3 --output-sync=target --no-print-directory SHELL=/bin/bash
CHECK = part-lint part-quick
TEST = part-cloud part-lives part-hello part-rest part-race part-templates part-browser part-emulator part-review part-constructs
# SHARDS are all shards, those that take longest first.
SHARDS = 7 4 2 1 5 3 0 6
SHARD_0 = shard-lives shard-fuzz
SHARD_1 = shard-lives shard-templates shard-review shard-hello
SHARD_2 = shard-lives shard-changes shard-builds
SHARD_3 = shard-lives shard-pages shard-seeds
SHARD_4 = shard-lives shard-race
SHARD_5 = shard-lives shard-changes shard-rollbacks
SHARD_6 = shard-lives shard-templates shard-scaler
SHARD_7 = shard-cloud

# all-0 to all-7 run a shard where `make test` has run.
$(SHARDS:%=all-%): all-%:
	@+$(PARTS) SHARD=$* $(SHARD_$*)

# TIMED runs the rest of a part's line, and prints the part's time.
TIMED = @TIMEFORMAT='  %R s  $(patsubst part-%,%,$@)'; time
# YIELDING is how all parts run but the local cloud's day, in which people are served
# meanwhile: it waits for nobody.
YIELDING = nice -n 5
# TESTSUM runs tests, also what nothing has changed for with FRESH=1: a line for each
# package, and all of what failed. What hangs is ended, and what a slow machine does is not.
TESTSUM = go tool -modfile=tools.mod gotestsum --format pkgname --hide-summary=skipped -- -timeout 60m $(if $(FRESH),-count=1)
# KNOWN is for tests that read what Go does not know of: it links a digest of all sources
# but pages and tests, and of Node's and Python's versions, into their binaries, so that Go
# runs them again when one has changed.
KNOWN = -ldflags=-X=inputs.digest=$(shell { git ls-files -zco --exclude-standard -- . ':!*.md' ':!docs' ':!*_test.go' | xargs -0 sha256sum; \
	node --version; $(PYTHON) -VV; } 2>&1 | sha256sum | cut -c 1-16)
# NORULES switches CDK's rules off, which are most of a synth's time: TestSnapshots
# applies them to whole templates. CDK's process, which reads it, starts before a
# test's first line.
NORULES = CDK_VALIDATION=false
# OWN are the packages that have a part of their own. The tests of ./constructs run the
# examples of the packages below it.
OWN = . ./constructs/... ./internal/local/emulator ./internal/review ./service/web/browsertest ./stacks ./test/api ./test/cloud ./test/hello ./test/lives ./test/templates
# QUICK lists the packages whose tests need no CDK, emulator or browser; what builds whole
# programs, or reads what Go does not know of, is not among them.
QUICK = go list -test -f '{{if eq .Name "main"}}{{.ImportPath}} {{join .Deps " "}}{{end}}' ./... | \
	sed -n '/jsii-runtime-go\|local\/emulator\/emulatortest\|chromedp\|^[^ ]*\/internal\/build\.\|^[^ ]*\/test\/\(api\|changes\|hello\|runbook\|templates\|workflows\)\./!s/\.test .*//p'
# REST lists all others with tests, so that a new package is tested.
REST = comm -23 <(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./... | sort) \
	<({ $(QUICK); go list $(OWN); } | sort)
# RACE are the packages of the service and of the local cloud whose goroutines share memory
# and whose tests are short, and ALONE those tests that decode one picture, hash one password
# or send one request after the other, which the detector makes up to ten times as slow:
# shard-race has them, and RACE_AWS, whose tests need the emulator or start many programs.
RACE = ./internal/local/balancer ./internal/local/child ./internal/local/progress ./service/account ./service/lighthouse ./service/photo ./service/sweep ./service/web
ALONE = ^(TestCorpus|TestPicturesKeep|TestAnimations|TestMemoryIsForetold|TestBombs|TestMetadata|TestTransparency|TestCheckPassword|TestMalformedRequestIsTheSendersFault|TestRefusedFormKeepsWhatWasTyped|FuzzProcess)
RACE_AWS = ./cmd/directory ./cmd/lighthouse ./cmd/scaler ./internal/command/doctor \
	./internal/local/cloud ./internal/local/emulator ./internal/local/lambda ./internal/local/machine ./service/dynamo ./service/s3
# CHANGES_2 and CHANGES_5 are which of test/changes their shards make.
CHANGES_2 = ^[a-k]
CHANGES_5 = ^[^a-k]
# FUZZ are the packages that have fuzz targets.
FUZZ = ./config ./scaling/trace ./service/account ./service/directory ./service/photo ./service/photo/icc ./service/photo/scaledjpeg ./service/web
# SUBJECTS is since when the subjects of commits keep to CONTRIBUTING.md. A commit's own
# time says so in a shallow clone, too.
SUBJECTS = 2026-11-29T21:23:14Z
# SCOPE is a package, a folder or a name of two words at most, such as "local cloud".
SCOPE = [[:alnum:]_./-]+( [a-z]+)?
subjects = git log --no-merges --since=$(SUBJECTS) --format='the subject of %h $(1): %s'

part-lint:
	$(TIMED) { test -z "$$(gofmt -l $$(git ls-files '*.go') | tee /dev/stderr)" && \
		go vet ./... && \
		go tool -modfile=tools.mod staticcheck ./... && \
		go tool -modfile=tools.mod actionlint && \
		go tool -modfile=tools.mod templ generate -check -include-version=false -log-level warn -path service/web && \
		go test -count=1 ./test/api && \
		pyright --pythonpath "$$(command -v $(PYTHON))" && \
		! $(call subjects,has more than 72 characters) | grep -E 'characters: .{73}' >&2 && \
		! $(call subjects,is not of the form scope: what changed) | grep -vE 'what changed: $(SCOPE)(, $(SCOPE))*: [^ ]' >&2 ; }
part-quick:
	$(TIMED) $(YIELDING) $(TESTSUM) $$($(QUICK))
part-rest:
	$(TIMED) $(YIELDING) $(TESTSUM) $(KNOWN) $$($(REST))
part-race:
	$(TIMED) $(YIELDING) $(TESTSUM) -race -skip '$(ALONE)' $(RACE)
part-browser:
	$(TIMED) $(YIELDING) $(TESTSUM) -count=1 -artifacts -outputdir $(CURDIR)/$(DIST)/artifacts ./service/web/browsertest
part-constructs:
	$(TIMED) $(NORULES) $(YIELDING) $(TESTSUM) $(KNOWN) ./constructs ./stacks
part-templates:
	$(TIMED) $(YIELDING) $(TESTSUM) $(KNOWN) . ./test/templates
part-lives:
	$(TIMED) $(NORULES) $(YIELDING) $(TESTSUM) $(KNOWN) ./test/lives
part-cloud:
	$(TIMED) $(NORULES) $(TESTSUM) $(KNOWN) ./test/cloud
part-hello:
	$(TIMED) $(YIELDING) $(TESTSUM) $(KNOWN) ./test/hello
part-emulator:
	$(TIMED) $(YIELDING) $(TESTSUM) $(KNOWN) ./internal/local/emulator

part-review:
	$(TIMED) $(NORULES) $(YIELDING) $(TESTSUM) $(KNOWN) ./internal/review

shard-lives:
	$(TIMED) $(NORULES) $(TESTSUM) -count=1 ./test/lives -shard $(SHARD)/7
shard-templates:
	$(TIMED) $(TESTSUM) -count=1 ./test/templates -shard $(if $(filter 1,$(SHARD)),0,1)/2
	$(TIMED) $(TESTSUM) -count=1 ./internal/local/emulator -run TestEveryAlarm -shard $(if $(filter 1,$(SHARD)),0,1)/2
shard-changes:
	$(TIMED) $(NORULES) $(TESTSUM) -count=1 ./test/changes -all -run 'TestChanges/$(CHANGES_$(SHARD))'
shard-builds:
	$(TIMED) $(TESTSUM) -count=1 ./internal/build -all
shard-review:
	$(TIMED) $(NORULES) $(TESTSUM) -count=1 ./internal/review -run TestVerdicts -all
shard-pages: browser
	@mkdir -p $(DIST)/artifacts
	$(TIMED) $(TESTSUM) -count=1 -artifacts -outputdir $(CURDIR)/$(DIST)/artifacts ./service/web/browsertest -run TestEveryPage -all
shard-race: browser
	$(TIMED) $(TESTSUM) -race $$($(QUICK)) $(RACE_AWS) ./service/web/browsertest
shard-cloud:
	$(TIMED) $(NORULES) $(TESTSUM) -count=1 ./test/cloud -shard 0/2
shard-rollbacks:
	$(TIMED) $(NORULES) $(TESTSUM) -count=1 ./test/cloud -run TestBuilds -shard 1/2
shard-hello:
	$(TIMED) $(TESTSUM) -count=1 ./test/hello -all
shard-seeds:
	$(TIMED) $(TESTSUM) -count=1 ./service/dynamo -run 'TestEmployeesFollowModel|TestRegionsThatChangeOneEmployeeAgree' -all
shard-scaler:
	$(TIMED) $(TESTSUM) -count=1 ./cmd/scaler -run 'InEachWay|Killed' -all
# Each fuzz target for a moment.
shard-fuzz:
	$(TIMED) for package in $(FUZZ); do \
		for target in $$(go test -list ^Fuzz $$package | grep ^Fuzz); do go test -run none -fuzz ^$$target$$ -fuzztime 20s $$package || exit 1; done; done

.PHONY: check shard shellcheck $(CHECK) $(TEST) $(SHARDS:%=all-%) shard-lives shard-templates shard-review shard-changes shard-builds shard-race shard-pages shard-cloud shard-rollbacks shard-hello shard-seeds shard-scaler shard-fuzz help up test test-all run synth ami zones types prices diff doctor deploy review permissions cost simulate calibrate drain freeze logs bench setup browser dist diagram
