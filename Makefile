# Veredus.  `make` builds build/release/veredus; `make check` runs all tests;
# `make install DESTDIR= PREFIX=` installs.  MODE=asan or MODE=clang builds
# the same tree with sanitizers, or with clang, in a directory of its own.

MODE    ?= release
BUILD   := build/$(MODE)
VERSION := $(shell cat VERSION)

PKGS := openssl libunbound libcdb lmdb sqlite3 libpcre2-8 libidn2 \
        libseccomp libcrypt
# Neither has its own flags, and libunbound.pc wants packages it does not need.
PKG_CFLAGS := $(shell pkg-config --cflags $(filter-out libcdb lmdb libunbound,$(PKGS)))
PKG_LIBS   := $(shell pkg-config --libs $(filter-out libcdb lmdb,$(PKGS))) \
              -lcdb -llmdb

WARN = -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes \
        -Wmissing-prototypes -Wno-missing-field-initializers
# Waiters lie on the stack of who waits.
WARN_gcc := -Wno-dangling-pointer
CFLAGS_release := -O2 -g
CFLAGS_asan    := -O1 -g -fsanitize=address,undefined \
                  -fno-sanitize-recover=undefined -DVEREDUS_SLOW_CHECKS
CFLAGS_clang   := -O1 -g
CC_clang       := clang
CFLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
                  -fno-sanitize-recover=undefined
CC_fuzz        := clang
CC             := $(or $(CC_$(MODE)),gcc)
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -Isrc -I. -DVEREDUS_VERSION='"$(VERSION)"' \
             $(WARN) $(WARN_$(CC)) $(CFLAGS_$(MODE)) $(PKG_CFLAGS) $(CFLAGS)
LIBS = $(PKG_LIBS) -lpthread -lm

SRC   := $(shell find src -name '*.c' ! -name '*_test.c' ! -path src/main.c)
TESTS := $(shell find src test/unit -name '*_test.c') test/unit/main.c
OBJ      := $(SRC:%.c=$(BUILD)/%.o)
TEST_OBJ := $(TESTS:%.c=$(BUILD)/%.o)
MAIN_OBJ := $(BUILD)/src/main.o

FUZZ  := $(patsubst test/fuzz/%.c,%,$(wildcard test/fuzz/*.c))

.PHONY: all unit check sim fuzz fuzz-targets clean
all: $(BUILD)/veredus

# All objects, not the archive: commands are found through weak references,
# which would not pull them out of it.
$(BUILD)/veredus: $(MAIN_OBJ) $(OBJ)
	@echo "  $(MODE) $@"; $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/libveredus.a: $(OBJ)
	@rm -f $@
	@ar rcs $@ $^

$(BUILD)/unit: $(TEST_OBJ) $(BUILD)/libveredus.a
	@echo "  $(MODE) $@"; $(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Servers made of a few modules, for dialogues over real sockets, and what
# asks our modules the questions that a peer is asked.
$(BUILD)/%-test-server: $(BUILD)/test/talk/%_server.o $(BUILD)/libveredus.a
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/%-probe: $(BUILD)/test/peer/%_probe.o $(BUILD)/libveredus.a
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# The simulated internet (test/world): `make sim SEED=7` replays one seed with
# all that happens, NAME=spool or NAME=mail one scenario of it; without SEED a
# hundred seeds.  The linker lets the mutants' recovery take the spool's place.
SIM_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard test/world/*.c))
$(BUILD)/sim: $(SIM_OBJ) $(BUILD)/libveredus.a
	@echo "  $(MODE) $@"; $(CC) $(ALL_CFLAGS) $(LDFLAGS) \
	    -Wl,--wrap=log_replay,--wrap=batch_next,--wrap=damage_note,--wrap=spool_open \
	    -Wl,--wrap=sock_peer_uid \
	    -o $@ $^ $(LIBS)
sim: $(BUILD)/sim
	$(BUILD)/sim $(if $(SEED),--seed $(SEED) --trace) $(NAME)

# Everything: `test/run PART` runs a part, `test/run --list` names them.
check:
	./test/run

# `make fuzz SECONDS=600 TARGET=header`; without TARGET all, one after another.
SECONDS ?= 60
fuzz:
	@$(MAKE) -s MODE=fuzz fuzz-targets
	tools/fuzz $(SECONDS) $(TARGET)
fuzz-targets: $(FUZZ:%=$(BUILD)/target/%)
$(BUILD)/target/%: $(BUILD)/test/fuzz/%.o $(BUILD)/libveredus.a
	@mkdir -p $(@D)
	@echo "  $(MODE) $@"; $(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

# Unit tests: `make unit MODE=asan TEST=name` runs those whose name starts so.
unit: $(BUILD)/unit
	$(BUILD)/unit $(TEST)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  $(MODE) $<"; $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

clean:
	rm -rf build

include dist/install.mk

-include $(OBJ:.o=.d) $(TEST_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(SIM_OBJ:.o=.d)
