#include "CSHA256.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

static const uint32_t start_value[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

int csha256_available(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  if (!(c & bit_SSSE3) || !(c & bit_SSE4_1)) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA) != 0;
}

/// FIPS 180-4 §6.2.2 over `count` blocks of 64 bytes.
///
/// SHA256RNDS2 makes two rounds and keeps the eight working variables in two registers, from the lowest lane up f e b a and h g d c.
__attribute__((target("sha,ssse3,sse4.1"))) static void compress(uint32_t state[8], const uint8_t *blocks, size_t count) {
  const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
  __m128i badc = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  __m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  __m128i feba = _mm_alignr_epi8(badc, hgfe, 8);
  __m128i hgdc = _mm_blend_epi16(hgfe, badc, 0xf0);
  for (; count > 0; count--, blocks += 64) {
    const __m128i feba_before = feba, hgdc_before = hgdc;
    // The newest sixteen words of the message schedule, four a register.
    __m128i words[4];
#pragma clang loop unroll(full)
    for (int quad = 0; quad < 16; quad++) {
      __m128i next;
      if (quad < 4) {
        next = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks + 16 * quad)), big_endian);
      } else {
        const __m128i last = words[(quad + 3) & 3];
        next = _mm_sha256msg1_epu32(words[quad & 3], words[(quad + 1) & 3]);
        next = _mm_add_epi32(next, _mm_alignr_epi8(last, words[(quad + 2) & 3], 4));
        next = _mm_sha256msg2_epu32(next, last);
      }
      words[quad & 3] = next;
      const __m128i sum = _mm_add_epi32(next, _mm_load_si128((const __m128i *)(round_constants + 4 * quad)));
      hgdc = _mm_sha256rnds2_epu32(hgdc, feba, sum);
      feba = _mm_sha256rnds2_epu32(feba, hgdc, _mm_shuffle_epi32(sum, 0x0e));
    }
    feba = _mm_add_epi32(feba, feba_before);
    hgdc = _mm_add_epi32(hgdc, hgdc_before);
  }
  const __m128i abef = _mm_shuffle_epi32(feba, 0x1b);
  const __m128i ghcd = _mm_shuffle_epi32(hgdc, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(abef, ghcd, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(ghcd, abef, 8));
}

/// The last block of a message: 1 bit, zeros, and the length of the whole in bits. `used` bytes of it are filled.
static void pad(csha256_hmac *state, uint32_t hash[8], size_t used, uint64_t bytes) {
  state->block[used++] = 0x80;
  if (used > 56) {
    memset(state->block + used, 0, 64 - used);
    compress(hash, state->block, 1);
    used = 0;
  }
  memset(state->block + used, 0, 56 - used);
  const uint64_t bits = __builtin_bswap64(bytes * 8);
  memcpy(state->block + 56, &bits, 8);
  compress(hash, state->block, 1);
}

static void put(uint8_t *out, const uint32_t hash[8]) {
  for (int i = 0; i < 8; i++) {
    const uint32_t word = __builtin_bswap32(hash[i]);
    memcpy(out + 4 * i, &word, 4);
  }
}

void csha256_hmac_start(csha256_hmac *state, const uint8_t *key, size_t count) {
  memcpy(state->inner, start_value, sizeof start_value);
  memcpy(state->outer, start_value, sizeof start_value);
  memset(state->block, 0x36, 64);
  for (size_t i = 0; i < count; i++) state->block[i] ^= key[i];
  compress(state->inner, state->block, 1);
  for (size_t i = 0; i < 64; i++) state->block[i] ^= 0x36 ^ 0x5c;
  compress(state->outer, state->block, 1);
  state->length = 0;
}

void csha256_hmac_update(csha256_hmac *state, const uint8_t *bytes, size_t count) {
  size_t used = state->length & 63;
  state->length += count;
  if (used > 0) {
    const size_t part = count < 64 - used ? count : 64 - used;
    memcpy(state->block + used, bytes, part);
    bytes += part;
    count -= part;
    if (used + part < 64) return;
    compress(state->inner, state->block, 1);
  }
  compress(state->inner, bytes, count / 64);
  memcpy(state->block, bytes + (count & ~(size_t)63), count & 63);
}

void csha256_hmac_finish(csha256_hmac *state, uint8_t *code) {
  // Both messages begin with a block that is no longer there: the padded key.
  pad(state, state->inner, state->length & 63, state->length + 64);
  put(state->block, state->inner);
  pad(state, state->outer, 32, 64 + 32);
  put(code, state->outer);
}

#else

int csha256_available(void) { return 0; }
void csha256_hmac_start(csha256_hmac *state, const uint8_t *key, size_t count) {
  (void)state, (void)key, (void)count;
  __builtin_trap();
}
void csha256_hmac_update(csha256_hmac *state, const uint8_t *bytes, size_t count) {
  (void)state, (void)bytes, (void)count;
  __builtin_trap();
}
void csha256_hmac_finish(csha256_hmac *state, uint8_t *code) {
  (void)state, (void)code;
  __builtin_trap();
}

#endif
