# Build, run, test and measure the gateway. Settings come from the environment, as in README.md:
#   PORT=9000 make run
.ONESHELL:
.DELETE_ON_ERROR:
SHELL = /bin/sh
.SHELLFLAGS = -ec
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL = run

PORT ?= 8000
DATA_DIR ?= data
run port secret: export PORT := $(PORT)
run port secret: export DATA_DIR := $(DATA_DIR)

binary = $(CURDIR)/.build/release/gateway
venv = $(CURDIR)/.build/venv
sources = Host PluginSDK Plugins Tests Package.swift

.PHONY: run build test lint format bench clean swift libraries sandbox port secret unit endtoend

# need PACKAGES: installs them, or says that they are missing and fails.
define functions
say() { printf '%s\n' "$$*" >&2; }
apt() {
  as=
  command -v apt-get >/dev/null || return 1
  [ "$$(id -u)" = 0 ] || { command -v sudo >/dev/null || return 1; as=sudo; }
  $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$$@" >&2 && return
  $$as apt-get update >&2 && $$as env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$$@" >&2
}
need() {
  say "installing: $$*"
  apt "$$@" || {
    say "These packages are missing and could not be installed (that needs apt-get, and root or sudo): $$*"
    say "Install them, or what your system calls them, and run make again."
    exit 1
  }
}
endef

# Builds, starts with the plugins of plugins.d, and says how to try it.
#
# The gateway is stopped by Ctrl-C and make must not be, or it would fail: where there is a terminal, the gateway
# becomes its foreground process group. Elsewhere make passes a stop signal on. A gateway whose make was killed stops.
run: port build secret sandbox
	@: "$${JWT_SECRET_KEY:=$$(cat "$$DATA_DIR/secret")}"
	export JWT_SECRET_KEY
	host=$${HOST:-localhost}
	case $$host in
	  0.0.0.0 | ::) host=localhost ;;
	  *:*) host="[$$host]" ;;
	esac
	url=http://$$host:$$PORT
	pidfile=$$DATA_DIR/gateway.pid
	rm -f "$$pidfile"
	announce() {
	  until curl -fs --noproxy '*' -o /dev/null "$$url/health/ready"; do
	    kill -0 "$$child" 2>/dev/null || return 0
	    sleep 0.1
	  done
	  (umask 077; $(binary) token create --user developer --scope read,write --ttl 24h >"$$DATA_DIR/token")
	  data=$$(cd "$$DATA_DIR" && pwd)
	  bearer="Authorization: Bearer \$$(cat '$$data/token')"
	  printf '\nThe gateway runs at %s, until Ctrl-C.\n\n' "$$url"
	  $(binary) plugin list
	  printf '\nA development token for 24 hours (also in %s):\n\n%s\n' "$$data/token" "$$(cat "$$data/token")"
	  printf '\nUpload a document, ask a question about it, look at the health:\n\n'
	  printf '%s\n' \
	    "curl -H \"$$bearer\" -F 'file=@$(CURDIR)/README.md' $$url/v1/upload" \
	    "curl -H \"$$bearer\" -H 'Content-Type: application/json' -d '{\"query\":\"What happens on SIGTERM?\"}' $$url/v1/query" \
	    "curl $$url/health" ''
	}
	serve='echo $$$$ >"$$DATA_DIR/gateway.pid"; exec $(binary) serve'
	dies=
	if setpriv --pdeathsig TERM true 2>/dev/null; then dies='setpriv --pdeathsig TERM'; fi
	stop() {
	  trap '' INT TERM HUP
	  kill -TERM "$$(cat "$$pidfile")" 2>/dev/null || kill -TERM "$$child"
	}
	trap stop INT TERM HUP
	# Fields 5 and 8: this process group, and the one in the terminal's foreground.
	read -r _ _ _ _ group _ _ foreground _ </proc/self/stat
	export serve dies
	if [ "$$group" = "$$foreground" ]; then
	  sh -mc 'trap "" TSTP; $$dies sh -c "$$serve"; exit $$?' &
	else
	  setsid $$dies sh -c "$$serve" &
	fi
	child=$$!
	announce &
	status=0
	wait "$$child" || status=$$?
	while kill -0 "$$child" 2>/dev/null; do status=0; wait "$$child" || status=$$?; done
	rm -f "$$pidfile"
	exit $$status

# The port is free: said before the build, which takes its time.
port:
	@$(functions)
	command -v curl >/dev/null || need curl ca-certificates
	case $$PORT in
	  *[!0-9]* | 0 | '') say "PORT is '$$PORT'; make run needs a number from 1 to 65535"; exit 1 ;;
	esac
	host=$${HOST:-127.0.0.1}
	case $$host in 0.0.0.0 | ::) host=127.0.0.1 ;; *:*) host="[$$host]" ;; esac
	code=0
	curl -s --noproxy '*' -o /dev/null --max-time 2 "http://$$host:$$PORT/health/live" || code=$$?
	[ "$$code" = 7 ] || {
	  say "Port $$PORT is taken: stop what listens there, or choose another: PORT=$$((PORT + 1)) DATA_DIR=data-$$((PORT + 1)) make run"
	  exit 1
	}

# A random key for development, made once. Production sets JWT_SECRET_KEY.
secret:
	@umask 077
	mkdir -p "$$DATA_DIR"
	chmod 700 "$$DATA_DIR"
	[ -s "$$DATA_DIR/secret" ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$$DATA_DIR/secret"

# The release binary, with the plugins beside it.
build: swift libraries
	swift build -c release

swift:
	@command -v swift >/dev/null || {
	  echo "swift is not here; install Swift 6.2 or later: https://www.swift.org/install/linux" >&2
	  exit 1
	}

# What is missing of the system libraries.
libraries:
	@$(functions)
	missing=
	if command -v pkg-config >/dev/null; then
	  pkg-config --exists sqlite3 || missing="$$missing libsqlite3-dev"
	  pkg-config --exists openssl || missing="$$missing libssl-dev"
	  pkg-config --exists zlib || missing="$$missing zlib1g-dev"
	else
	  missing='pkg-config libsqlite3-dev libssl-dev zlib1g-dev'
	fi
	[ -z "$$missing" ] || need $$missing

# What runs the programs of fog jobs. A gateway without it serves all else, and says why it takes no such jobs.
sandbox:
	@$(functions)
	[ -x /usr/bin/bwrap ] || apt bubblewrap || say 'bubblewrap could not be installed: jobs of the type process are refused'

# Everything. Without a build there is nothing to test; after that each part runs, whatever the others said.
test:
	@failed=
	part() {
	  printf '\n=== %s ===\n' "$$1"
	  code=0
	  $(MAKE) "$$2" || code=$$?
	  [ "$$code" = 0 ] || { printf '%s: failed\n' "--- $$1" >&2; failed="$$failed$${failed:+, }$$1"; }
	  return "$$code"
	}
	part 'release build' build
	part 'unit tests' unit || :
	part 'end-to-end tests' endtoend || :
	part 'format and lint' lint || :
	printf '\n'
	[ -z "$$failed" ] || { echo "failed: $$failed" >&2; exit 1; }
	echo 'all tests passed'

# The failures are repeated at the end: between them stand thousands of lines of what passed.
unit: swift libraries sandbox
	@run=$$(mktemp -d)
	trap 'rm -r "$$run"' EXIT
	{ swift test 2>&1 || : >"$$run/failed"; } | tee "$$run/log"
	[ -e "$$run/failed" ] || exit 0
	printf '\nfailures:\n'
	grep -aE '^(✘|↳)|error:' "$$run/log" | grep -avE '^↳ (Testing Library|Target Platform)' || :
	exit 1

# The built binary, driven from outside.
endtoend: $(venv)/installed sandbox
	@test -x $(binary) || { echo 'there is no release binary; run: make build' >&2; exit 1; }
	cd Tests/EndToEnd
	GATEWAY=$(binary) $(venv)/bin/python -m pytest -q

$(venv)/installed: Tests/EndToEnd/requirements.txt
	@$(functions)
	command -v python3 >/dev/null || need python3 python3-venv
	python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
	python3 -m venv $(venv)
	$(venv)/bin/pip install -q --disable-pip-version-check -r $< || {
	  say "The packages of $< could not be installed; the end-to-end tests need them."
	  exit 1
	}
	touch $@

# The formatter passes over rule names that it does not know, so they are looked up. The fuzz targets are built by hand
# alone; here they are compiled, so that they keep up with what they call.
lint: swift
	@status=0
	swift format lint --strict -r -p $(sources) || status=$$?
	known=$$(swift format dump-configuration)
	for rule in $$(sed -n '/"rules"/,/}/s/^ *"\([A-Za-z]*\)": *\(true\|false\).*/\1/p' .swift-format); do
	  case $$known in
	    *"\"$$rule\""*) ;;
	    *) echo ".swift-format: there is no rule $$rule" >&2; status=1 ;;
	  esac
	done
	peering=$$(find Plugins/P2PFog/Peering -name '*.swift')
	wire=$$(mktemp -d)
	trap 'rm -r "$$wire"' EXIT
	compile='swiftc -parse-as-library -swift-version 6 -package-name gateway -I Host/COpenSSL -I Host/CSQLite'
	module() {
	  name=$$1
	  shift
	  $$compile -I "$$wire" -module-name $$name -emit-module -emit-module-path "$$wire/$$name.swiftmodule" "$$@" || status=$$?
	}
	module Wire Host/Wire/*.swift
	module PluginStorage Plugins/Storage/*.swift Plugins/Storage/Tar/*.swift
	module Peering $$peering
	for target in Tests/Fuzz/*.swift; do $$compile -typecheck -I "$$wire" $$target || status=$$?; done
	exit $$status

format: swift
	swift format -i -r -p $(sources)

# Beside nginx where it can be had; what is missing is said in the output.
bench: build $(venv)/installed
	@$(functions)
	missing=
	for tool in wrk nginx valgrind strace python3; do
	  command -v $$tool >/dev/null || [ -x /usr/sbin/$$tool ] || missing="$$missing $$tool"
	done
	[ -z "$$missing" ] || apt $$missing || say "could not be installed:$$missing"
	python3 Tests/Bench/bench.py $(binary)
	GATEWAY=$(binary) $(venv)/bin/python Tests/Bench/swapping.py
	GATEWAY=$(binary) $(venv)/bin/python Tests/Bench/restarting.py
	GATEWAY=$(binary) $(venv)/bin/python Tests/Bench/forge.py
	GATEWAY=$(binary) $(venv)/bin/python Tests/Bench/ledger.py

clean:
	rm -rf .build
