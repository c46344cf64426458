#pragma once
#include <stddef.h>
#include <stdint.h>
/// HMAC-SHA256 (RFC 2104, FIPS 180-4) with the processor's SHA instructions, which Swift cannot call and libsodium 1.0.18 does not use.
/// Secrets are read where the caller keeps them and written into the caller's state, which the caller wipes; an optimised
/// build puts nothing of them on the stack.

/// What is left of a key, and of the message so far. 136 bytes, 8-byte aligned.
typedef struct {
  uint32_t inner[8];
  uint32_t outer[8];
  uint8_t block[64];
  uint64_t length;
} csha256_hmac;

/// 1 if this processor has the instructions. Where it has not, nothing below may be called.
int csha256_available(void);

/// An empty message under a key of at most 64 bytes: a longer one has to be hashed first, RFC 2104 says.
void csha256_hmac_start(csha256_hmac *state, const uint8_t *key, size_t count);

/// Appends to the message.
void csha256_hmac_update(csha256_hmac *state, const uint8_t *bytes, size_t count);

/// Writes the code of the message, 32 bytes, and leaves the state useless.
void csha256_hmac_finish(csha256_hmac *state, uint8_t *code);
