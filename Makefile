# Everything a person or a machine does with this source. `make` alone builds.
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory
PREFIX ?= /usr/local
SWIFT ?= swift
BIN := .build/release

.PHONY: all build deps install test interop vectors demo bench format clean

all: build

# The system libraries, installed only where something is missing.
deps:
	@scripts/install-deps.sh

# One file that needs no Swift runtime beside it.
build: deps
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product pawl

install: build
	install -D -m 0755 $(BIN)/pawl $(DESTDIR)$(PREFIX)/bin/pawl

# The last line is the test runner's own: it says how many tests ran.
test: deps
	$(SWIFT) format lint --strict --parallel -r Sources Tests Package.swift
	@SWIFT=$(SWIFT) scripts/interop.sh
	$(SWIFT) test --disable-xctest

# The node against a second implementation, against vectors, and against published libraries.
interop: deps
	@SWIFT=$(SWIFT) scripts/interop.sh

# Writes Interop/vectors anew; the same sources write the same bytes.
vectors: deps
	PAWL_WRITE_VECTORS=1 $(SWIFT) test --disable-xctest --filter makingTheVectorsAgainGivesTheSameBytes

demo: build
	$(SWIFT) build -c release --static-swift-stdlib -Xlinker -s --product pawl-makelora
	scripts/demo.sh

bench: build
	@scripts/install-deps.sh ssh
	scripts/bench.sh

format:
	$(SWIFT) format -i --parallel -r Sources Tests Package.swift

clean:
	rm -rf .build
