# sinkholed: `make help` lists the targets.
MAKEFLAGS += --no-builtin-rules
VARIANT ?= release
BUILD ?= build/$(VARIANT)
CC = gcc
SAN ?=
V ?=
Q = $(if $(V),,@)
WERROR ?=
prefix ?= /usr/local
sysconfdir ?= /etc
localstatedir ?= /var
mandir ?= $(prefix)/share/man

PROGRAMS = sinkholed sinkholectl sinkhole-blocklist sinkhole-hits
PACKAGES = ldns libuv lmdb yaml-0.1 jansson libssl libcrypto libidn2 yajl libfstrm libprotobuf-c libpsl libpcap \
	libcurl zlib
DEBS = gcc make pkg-config libldns-dev libuv1-dev liblmdb-dev check libyaml-dev \
	libjansson-dev libssl-dev libidn2-dev libyajl-dev libpsl-dev publicsuffix libpcap-dev libfstrm-dev \
	libprotobuf-c-dev protobuf-c-compiler libcurl4-openssl-dev zlib1g-dev
DEBS_CHECK = nsd bind9 knot dnsperf unbound bind9-dnsutils bind9-utils nftables python3 python3-dnspython \
	python3-cryptography fstrm-bin dnstap-ldns procps iproute2 util-linux \
	clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 cppcheck mandoc valgrind

WARN = -Wall -Wextra -Wshadow -Wvla -Wundef -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wcast-qual -Wconversion
HARDEN = -fstack-protector-strong -fstack-clash-protection -fcf-protection \
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(if $(findstring clang,$(CC)),2,3) -fPIE
OPT = $(if $(SAN),-O1 -fno-omit-frame-pointer $(SAN),-O2 $(HARDEN))
PKG_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -g $(filter-out $(if $(SAN),-Wconversion),$(WARN)) \
	$(OPT) $(WERROR) -I. -I$(BUILD)/gen $(PKG_CFLAGS) -pthread $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),$(SAN),-pie -Wl,-z,relro,-z,now,--as-needed) -pthread $(LDFLAGS)

LIB_SRC = $(filter-out resolver/main.c,$(wildcard zones/*.c resolver/*.c))
TOOL_SRC = $(filter-out $(PROGRAMS:%=tools/%.c),$(wildcard tools/*.c))
UNIT_SRC = $(filter-out tests/unit/runner.c tests/unit/support.c,$(wildcard tests/unit/*.c))
FUZZ_SRC = $(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c))
HELPER_SRC = $(wildcard tests/integration/*.c tests/bench/*.c)
SCENARIO_SRC = $(wildcard tests/scenarios/*.c)
ALL_SRC = $(LIB_SRC) resolver/main.c $(wildcard tools/*.c) $(wildcard tests/*/*.c)

PROTO = $(patsubst %.proto,$(BUILD)/gen/%.pb-c.c,$(wildcard tools/*.proto))
LIB = $(BUILD)/libsinkholed.a
TOOL_LIB = $(BUILD)/libtools.a
BIN = $(PROGRAMS:%=$(BUILD)/%)
UNIT = $(UNIT_SRC:tests/%.c=$(BUILD)/%)
FUZZ = $(FUZZ_SRC:tests/%.c=$(BUILD)/%)
HELPERS = $(HELPER_SRC:tests/%.c=$(BUILD)/%) $(BUILD)/integration/disk_fault.so
SCENARIO = $(BUILD)/scenarios/scenario
obj = $(1:%.c=$(BUILD)/obj/%.o)
# A newcomer's plain `make check` uses every processor.
SUB = --no-print-directory $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: all everything help deps run lab lab-down check check-full unit integration fuzz-replay fuzz \
	asan tsan bench bench-packets layers lint format format-check install uninstall clean
all: $(BIN)  ## build the programs
	@:
everything: $(BIN) $(UNIT) $(FUZZ) $(HELPERS) $(SCENARIO)  ## and all test programs
	@:

help:  ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{sub(/:.*/,"",$$1); printf "  %-14s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo '  CC   $<'
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
# What protoc-c writes is not ours to warn about.
$(PROTO): $(BUILD)/gen/%.pb-c.c: %.proto Makefile
	@mkdir -p $(@D)
	@echo '  PB   $<'
	$(Q)protoc-c --c_out=$(BUILD)/gen $<
$(PROTO:.c=.o): WARN =
$(PROTO:.c=.o): %.o: %.c
	@echo '  CC   $<'
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<
$(call obj,tools/hits_dnstap.c tests/unit/hits_dnstap.c): | $(PROTO)
$(LIB): $(call obj,$(LIB_SRC))
	@rm -f $@
	@echo '  AR   $@'
	$(Q)ar rcs $@ $^
$(TOOL_LIB): $(call obj,$(TOOL_SRC)) $(PROTO:.c=.o)
	@rm -f $@
	@echo '  AR   $@'
	$(Q)ar rcs $@ $^
$(BUILD)/sinkholed: $(call obj,resolver/main.c) $(LIB)
	@echo '  LD   $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(filter-out $(BUILD)/sinkholed,$(BIN)): $(BUILD)/%: $(BUILD)/obj/tools/%.o $(TOOL_LIB) $(LIB)
	@echo '  LD   $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
$(UNIT): $(BUILD)/%: $(BUILD)/obj/tests/%.o $(BUILD)/obj/tests/unit/runner.o \
		$(BUILD)/obj/tests/unit/support.o $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $$(pkg-config --libs check)
$(FUZZ): $(BUILD)/%: $(BUILD)/obj/tests/%.o $(if $(LIBFUZZER),,$(BUILD)/obj/tests/fuzz/replay.o) \
		$(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(ALL_LDFLAGS) $(LIBFUZZER) -o $@ $^ $(PKG_LIBS)
# What a test preloads is the system's program otherwise: no sanitizer.
$(BUILD)/integration/disk_fault.so: tests/integration/preload/disk_fault.c Makefile
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -O2 $(WARN) $(WERROR) -fPIC -shared -o $@ $<
$(filter-out %.so,$(HELPERS)): $(BUILD)/%: $(BUILD)/obj/tests/%.o $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm
$(SCENARIO): $(call obj,$(SCENARIO_SRC)) $(TOOL_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)
-include $(patsubst %.o,%.d,$(call obj,$(ALL_SRC)))

deps:  ## install the Debian packages that building and testing need
	@tests/deps.sh $(DEBS) $(DEBS_CHECK)

run:  ## build, import the sample list, serve on 127.0.0.1@5300 and [::1]@5300
	@tests/deps.sh $(DEBS) bind9-dnsutils
	@$(MAKE) $(SUB) all
	@tests/run.sh $(BUILD)

lab:  ## a small Internet on loopback with the resolver in it
	@tests/deps.sh $(DEBS) nsd bind9-dnsutils python3
	@$(MAKE) $(SUB) all $(HELPERS)
	@python3 -B tests/integration/lab.py up $(BUILD)

lab-down:  ## stop and remove the lab
	@python3 -B tests/integration/lab.py down $(BUILD)

check:  ## everything a change must pass, under five minutes
	@tests/deps.sh $(DEBS) $(DEBS_CHECK)
	@$(MAKE) $(SUB) everything
	@tests/check.sh $(BUILD)

check-full:  ## check, and the long tests
	@tests/deps.sh $(DEBS) $(DEBS_CHECK)
	@$(MAKE) $(SUB) everything
	@tests/check.sh --full $(BUILD)

unit: $(UNIT)  ## unit tests only
	@tests/check.sh --only unit $(BUILD)

integration: $(BIN) $(HELPERS)  ## integration tests only
	@tests/check.sh --only integration $(BUILD)

fuzz-replay: $(FUZZ)  ## run the fuzz corpora through their targets
	@tests/check.sh --only fuzz $(BUILD)

fuzz:  ## fuzz every parser for FUZZ_SECONDS each (default 60) with libFuzzer
	@$(MAKE) $(SUB) BUILD=build/fuzz CC=clang-14 LIBFUZZER=-fsanitize=fuzzer \
		SAN="-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
		-fno-sanitize-coverage=trace-cmp -fsanitize-coverage-ignorelist=tests/fuzz/uncounted.txt" fuzz-bin
	@tests/fuzz/run.sh build/fuzz
fuzz-bin: $(FUZZ)

asan:  ## unit, scenario, fuzz corpora and integration tests under ASan and UBSan
	@$(MAKE) $(SUB) BUILD=build/asan CC=clang-14 \
		SAN="-fsanitize=address,undefined -fno-sanitize-recover=undefined" sanitized
tsan:  ## the same under TSan
	@$(MAKE) $(SUB) BUILD=build/tsan CC=clang-14 SAN=-fsanitize=thread sanitized
sanitized: everything
	@tests/check.sh --sanitized $(BUILD)

bench: $(BIN) $(HELPERS)  ## measure beside other resolvers (half an hour)
	@python3 -B tests/bench/run.py $(BUILD)
	@python3 -B tests/bench/packets.py $(BUILD) || [ $$? = 77 ]

bench-packets: $(BIN)  ## packets to name servers beside unbound
	@python3 -B tests/bench/packets.py $(BUILD) || [ $$? = 77 ]

layers:  ## folders depend in one direction only
	@tests/layers.sh

lint:  ## cppcheck and mandoc
	@tests/lint.sh

format:  ## clang-format in place
	clang-format-14 -i $$(git ls-files '*.[ch]')
format-check:
	@clang-format-14 --dry-run -Werror $$(git ls-files '*.[ch]')

install: all  ## to DESTDIR and prefix
	install -d $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/bin $(DESTDIR)$(sysconfdir)/sinkholed \
		$(DESTDIR)$(mandir)/man8 $(DESTDIR)$(mandir)/man5
	install -m 755 $(BUILD)/sinkholed $(DESTDIR)$(prefix)/sbin/
	install -m 755 $(filter-out $(BUILD)/sinkholed,$(BIN)) $(DESTDIR)$(prefix)/bin/
	install -m 644 $(wildcard tools/*.8) $(DESTDIR)$(mandir)/man8/
	install -m 644 $(wildcard tools/*.5) $(DESTDIR)$(mandir)/man5/
	test -e $(DESTDIR)$(sysconfdir)/sinkholed/sinkholed.yaml || \
		install -m 644 tools/packaging/sinkholed.yaml $(DESTDIR)$(sysconfdir)/sinkholed/

uninstall:  ## what install put there, but not the configuration
	rm -f $(DESTDIR)$(prefix)/sbin/sinkholed \
		$(patsubst %,$(DESTDIR)$(prefix)/bin/%,$(filter-out sinkholed,$(PROGRAMS))) \
		$(patsubst tools/%,$(DESTDIR)$(mandir)/man8/%,$(wildcard tools/*.8)) \
		$(patsubst tools/%,$(DESTDIR)$(mandir)/man5/%,$(wildcard tools/*.5))

clean:  ## remove build/
	rm -rf build
