# SPDX-License-Identifier: Apache-2.0
# The short front door; Meson does the work. `make deps` (as root) on a fresh Debian 12 machine, or
# let `make demo` and `make test` call it.
BUILD ?= build
SECONDS_EACH ?= 20
SEEDS ?= 1..5000
SOAK_MINUTES ?= 10
SEEDS_MINUTES ?= 30
SAN_asan = address,undefined
SAN_tsan = thread

# The flags are the project's; a stray CFLAGS in the environment must not change or break the build.
# Packagers hand theirs to Meson: make MESON_ARGS='-Dc_args=...'.
unexport CFLAGS CPPFLAGS LDFLAGS

# Built as root in somebody's checkout: what was made belongs to the checkout's owner.
OWN = if [ "$$(id -u)" = 0 ] && [ -d $(BUILD) ]; then chown -R --reference=Makefile $(BUILD); fi
RUN = BUILD=$(abspath $(BUILD)) WARREN_WG=$(abspath $(BUILD))/warren-wg

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) $(NINJA_ARGS)
	@$(OWN)

$(BUILD)/build.ninja:
	@[ -x /usr/bin/meson ] || { echo "meson is missing: run 'make deps' as root first" >&2; exit 1; }
	@/usr/bin/meson setup $(BUILD) $(MESON_ARGS)

deps:
	@tools/deps

demo:
	@tools/deps build demo
	@$(MAKE) --no-print-directory all
	@$(RUN) demo/run $(ARGS)

test e2e:
	@tools/deps build test
	@$(MAKE) --no-print-directory all
	@tools/test $(if $(filter e2e,$@),--e2e) $(BUILD) $(ARGS); status=$$?; $(OWN); exit $$status

asan tsan:
	@$(MAKE) --no-print-directory test BUILD=build-$@ \
	    MESON_ARGS="-Db_lundef=false -Db_sanitize=$(SAN_$@) $(MESON_ARGS)"

fuzz:
	@tools/deps build test check
	@CC=clang $(MAKE) --no-print-directory all BUILD=build-fuzz MESON_ARGS="-Dfuzz=true \
	    -Db_lundef=false -Db_sanitize=$(SAN_asan) -Dc_args=-fsanitize=fuzzer-no-link $(MESON_ARGS)"
	@tools/fuzz build-fuzz $(SECONDS_EACH) $(ARGS)

# What the ring reaches at full size, as a page: half an hour or more of one processor.
sim-report:
	@tools/deps build test
	@$(MAKE) --no-print-directory all
	@tools/sim-report $(BUILD)/warren-sim --out docs/ring/figures.md $(ARGS)

# Many small worlds in which the seed decides what goes wrong (one that fails names its replay; none
# with SEEDS=), then, as root, the end-to-end tests that take minutes: among them twelve daemons for
# SOAK_MINUTES, whose curves are in $(BUILD)/soak.svg.
soak:
	@tools/deps build test
	@$(MAKE) --no-print-directory all
	@[ -z "$(SEEDS)" ] || $(BUILD)/warren-sim --scenario mixed --seeds $(SEEDS)
	@[ -z "$(SEEDS)" ] || $(BUILD)/warren-sim --scenario networks-mixed --seeds $(SEEDS)
	@[ "$$(id -u)" != 0 ] || WARREN_SOAK=1 SOAK_MINUTES=$(SOAK_MINUTES) \
	    tools/test --e2e $(BUILD) -m soak tests/e2e $(ARGS)

# The unit tests with other seeds than the one of "make test", again and again.
seeds:
	@tools/deps build test
	@$(MAKE) --no-print-directory all
	@tools/seeds $(BUILD) $(SEEDS_MINUTES) $(ARGS)

bench:
	@tools/deps build bench
	@$(MAKE) --no-print-directory all
	@$(RUN) bench/run $(ARGS)

bench-networks:
	@tools/deps build bench
	@$(MAKE) --no-print-directory all
	@$(RUN) bench/networks $(ARGS)

# The manual as static pages; begin at build/manual/index.html.
manual:
	@tools/deps manual
	@mkdir -p $(BUILD)
	@tools/manual $(BUILD)/manual
	@$(OWN)

# The Debian package, in build-deb; and, as root, whether it installs, serves and goes as it
# should.
deb:
	@tools/deps build package
	@tools/deb build-deb

deb-test:
	@tools/deps build package
	@tools/deb-test build-deb/test

tidy:
	@tools/deps build test check
	@$(MAKE) --no-print-directory all
	@tools/tidy
	@tools/clang-tidy $(BUILD)

format:
	@tools/deps check
	@tools/format

clean:
	@rm -rf build build-*

.PHONY: all deps demo test e2e asan tsan fuzz sim-report soak seeds bench bench-networks manual \
    deb deb-test tidy format clean
