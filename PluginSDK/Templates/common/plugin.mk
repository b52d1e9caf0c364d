# What the makefiles of all plugins share. Set before it: NAME, VERSION, LIBRARY and TRY, a path to call.
.ONESHELL:
.DELETE_ON_ERROR:
SHELL = /bin/sh
.SHELLFLAGS = -ec
MAKEFLAGS += --no-print-directory

GATEWAY ?= gateway
PORT ?= 8000
here = $(CURDIR)/build/run
archive = $(NAME)-$(VERSION)

.PHONY: all test unit check pack run clean
.DEFAULT_GOAL = all
all: $(LIBRARY)

# The plugin's own tests, then the library as a gateway sees it.
test: unit check

check: $(LIBRARY)
	@if command -v '$(GATEWAY)' >/dev/null; then
	  '$(GATEWAY)' plugin check $(LIBRARY)
	else
	  echo 'skipped the check: there is no $(GATEWAY) here; name it with GATEWAY=/path/to/gateway'
	fi

# What an operator needs: the library, its file for plugins.d, and how to use it.
pack: $(LIBRARY)
	@rm -rf build/$(archive)
	mkdir -p build/$(archive)
	cp $(LIBRARY) 50-$(NAME).json README.md build/$(archive)
	tar -C build -czf $(archive).tar.gz $(archive)
	rm -r build/$(archive)
	echo $(archive).tar.gz

# A gateway of its own with this plugin alone, until Ctrl-C. A `make` in another terminal swaps the new build in.
run: $(LIBRARY)
	@command -v '$(GATEWAY)' >/dev/null || {
	  echo 'There is no $(GATEWAY) here; name it with GATEWAY=/path/to/gateway' >&2
	  exit 1
	}
	umask 077
	mkdir -p $(here)/plugins.d $(here)/data
	cp 50-$(NAME).json $(here)/plugins.d
	[ -s $(here)/data/secret ] || od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >$(here)/data/secret
	export JWT_SECRET_KEY="$$(cat $(here)/data/secret)" DATA_DIR=$(here)/data PLUGINS_DIR=$(here)/plugins.d
	export LIBRARY_DIR=$(dir $(abspath $(LIBRARY))) HOST=127.0.0.1 PORT=$(PORT)
	'$(GATEWAY)' token create --user developer --scope read,write --ttl 24h >$(here)/data/token
	printf '\nWhen it serves:\n\n  %s\n\n' \
	  "curl -H \"Authorization: Bearer \$$(cat '$(here)/data/token')\" 'http://localhost:$(PORT)$(TRY)'"
	exec '$(GATEWAY)' serve

clean:
	rm -rf build target .build $(NAME)-*.tar.gz
