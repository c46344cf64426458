#ifndef HEAP_KEEPER_H
#define HEAP_KEEPER_H

/// From now on memory that is released stays as it is: nothing is given out again, so nothing overwrites what was left in it.
/// For a process that ends soon.
void heap_keep_released_memory(void);

/// Whether this build can do so; a sanitizer has an allocator of its own.
int heap_can_keep_released_memory(void);

/// How many bytes the calling thread has released so far: what it had in its hands, whatever else the machine does.
unsigned long long heap_released_bytes(void);

#endif
