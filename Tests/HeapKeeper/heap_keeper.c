#include "heap_keeper.h"

#include <stdlib.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

#include <malloc.h>

// glibc's own, which the functions below stand in front of.
extern void __libc_free(void *);
extern void *__libc_realloc(void *, size_t);

static volatile int keeps;

void heap_keep_released_memory(void) { keeps = 1; }
int heap_can_keep_released_memory(void) { return 1; }

static _Thread_local unsigned long long released;

unsigned long long heap_released_bytes(void) { return released; }

void free(void *block) {
  if (block != NULL) released += malloc_usable_size(block);
  if (!keeps) __libc_free(block);
}

void *realloc(void *block, size_t size) {
  if (!keeps || block == NULL) return __libc_realloc(block, size);
  void *moved = malloc(size);
  if (moved == NULL) return NULL;
  size_t old = malloc_usable_size(block);
  memcpy(moved, block, old < size ? old : size);
  return moved;
}

#else

void heap_keep_released_memory(void) {}
int heap_can_keep_released_memory(void) { return 0; }
unsigned long long heap_released_bytes(void) { return 0; }

#endif
