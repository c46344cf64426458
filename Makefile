# Everything a person or a machine does with this source. `make` alone builds.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
PREFIX ?= /usr/local
SWIFT ?= swift
BIN := .build/release
# One file that needs no Swift runtime beside it, without symbols. NDEBUG is how BoringSSL's own release builds are made: with its
# assertions ML-DSA and ML-KEM take a third longer.
RELEASE := -c release --static-swift-stdlib -Xlinker -s -Xcc -DNDEBUG -Xcxx -DNDEBUG

.PHONY: all build deps install test interop vectors demo bench format clean

all: build

# The system libraries, installed only where something is missing.
deps:
	@scripts/install-deps.sh

build: deps
	$(SWIFT) build $(RELEASE) --product pawl

install: build
	install -D -m 0755 $(BIN)/pawl $(DESTDIR)$(PREFIX)/bin/pawl

# The last line is the test runner's own: it says how many tests ran that start processes; those that do not ran before.
test: deps
	$(SWIFT) format lint --strict --parallel -r Sources Tests Package.swift
	@SWIFT=$(SWIFT) scripts/interop.sh
	@SWIFT=$(SWIFT) scripts/test.sh

# The node against a second implementation, against vectors, and against published libraries.
interop: deps
	@SWIFT=$(SWIFT) scripts/interop.sh

# Writes Interop/vectors anew; the same sources write the same bytes.
vectors: deps
	PAWL_WRITE_VECTORS=1 $(SWIFT) test --disable-xctest --filter makingTheVectorsAgainGivesTheSameBytes

demo: build
	$(SWIFT) build $(RELEASE) --product pawl-makelora
	scripts/demo.sh

# A large file beside scp, many small files beside tar, the session layer beside vodozemac and DoubleRatchet, and a node with a
# thousand peers beside one with ten; ONLY=transfer, ONLY=files, ONLY=session or ONLY=peers for one of them.
bench: build
ifneq ($(filter transfer,$(or $(ONLY),transfer)),)
	@scripts/install-deps.sh ssh
	scripts/bench.sh
endif
ifneq ($(filter files,$(or $(ONLY),files)),)
	scripts/bench-files.sh
endif
ifneq ($(filter session peers,$(or $(ONLY),session)),)
	$(SWIFT) build $(RELEASE) --product pawl-sessionbench
endif
ifneq ($(filter session,$(or $(ONLY),session)),)
	scripts/bench-session.sh
endif
ifneq ($(filter peers,$(or $(ONLY),peers)),)
	scripts/bench-peers.sh
endif

format:
	$(SWIFT) format -i --parallel -r Sources Tests Package.swift

clean:
	rm -rf .build
