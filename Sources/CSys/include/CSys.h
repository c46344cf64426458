#pragma once
/// Shims for what Swift cannot call, each saying why. Results that are `int` are zero or more, or `-errno`.

/// Opens `path` beneath `dir`; nothing on the way may be a symbolic link, `..` out of it or a magic link.
/// -ELOOP: a link on the way; -EXDEV: out of `dir`. -ENOSYS, -EPERM or -EINVAL mean that the kernel (or a seccomp
/// filter) lacks `openat2`.
/// Why: glibc has no wrapper, and `syscall` is variadic, which Swift does not import.
int sys_open_beneath(int dir, const char *path, int flags, unsigned mode);

/// Renames without ever replacing: -EEXIST if `to` is there. -EINVAL or -ENOSYS: not supported here.
/// Why: declared under _GNU_SOURCE only, which Swift's Glibc module does not set.
int sys_rename_noreplace(int from_dir, const char *from, int to_dir, const char *to);

/// Swaps two names in one step. Why: as above.
int sys_rename_exchange(int from_dir, const char *from, int to_dir, const char *to);

/// Reserves blocks and extends the file. -EOPNOTSUPP: not here; -ENOSPC: no room. Why: _GNU_SOURCE.
int sys_fallocate(int fd, long long offset, long long length);

/// Starts writing dirty pages out and does not wait; promises nothing about durability. Why: _GNU_SOURCE.
int sys_sync_file_range(int fd, long long offset, long long length);

/// A second descriptor of the same open file that goes past the page cache. -EINVAL: this file system has no such thing.
/// Why: O_DIRECT needs _GNU_SOURCE.
int sys_reopen_direct(int fd);

/// Takes an advisory lock on an open file, never waiting: -EWOULDBLOCK if somebody holds it.
/// Why: in Swift the struct `flock` hides the function `flock`.
int sys_flock(int fd, int exclusive);

/// Gives an advisory lock back, also where another process inherited the open file: closing alone would leave it there.
/// Why: as above.
int sys_unlock(int fd);

/// Accepts a connection: close-on-exec and non-blocking in one step. Why: `accept4` needs _GNU_SOURCE.
int sys_accept(int fd);

/// A netlink socket that becomes readable when an interface or an address of this machine comes or goes: non-blocking,
/// close-on-exec. Why: Swift's Glibc module has no <linux/rtnetlink.h>.
int sys_watch_addresses(void);

/// Reads and drops what waits on a datagram socket, at most 64 datagrams. 0: read, or nothing there; -errno: the socket is of no
/// more use. Why: with the one above, and what is lost for want of room (ENOBUFS) is no error of it.
int sys_drain(int fd);

/// Names the calling thread (15 bytes are kept). Why: `pthread_setname_np` needs _GNU_SOURCE.
void sys_name_thread(const char *name);

/// A buffer of 1 MiB, as long as a chunk usually is, comes from the heap and goes back to it, never to the kernel and back. What
/// is longer than 2 MiB (manifests, results; frames of larger chunks are pooled) goes back to the kernel as soon as it is
/// released. One arena for all threads: what one has released another can use, which for 100,000 files is 100 MB less.
/// Call once, before anything large is allocated. Why: Swift's Glibc module has no <malloc.h>.
void sys_keep_heap_warm(void);

/// Gives the heap's free pages back to the kernel; others wait for the heap meanwhile, some milliseconds for 100 MB.
/// Why: Swift's Glibc module has no <malloc.h>.
void sys_give_back_heap(void);

/// Where the address space is limited (RLIMIT_AS), makes threads that start from now on small: one heap for all, and stacks of
/// `stack_bytes`. 1: it is limited. To be called before threads start.
/// Why: Swift's Glibc module has no <malloc.h>, and `pthread_setattr_default_np` needs _GNU_SOURCE.
int sys_save_address_space(unsigned long stack_bytes);

/// How many descriptors this process may have open. Why: RLIMIT_NOFILE is an enum whose import differs by glibc.
long sys_descriptor_limit(void);

/// Raises that to the hard limit. Why: as above.
void sys_raise_descriptor_limit(void);

/// No core dump of this process, no attaching to it by others of the same user.
/// Why: `prctl` is variadic.
int sys_forbid_core_dumps(void);

/// The most memory that was ever resident, from VmHWM. Why: `ru_maxrss` counts the parent's before exec.
long sys_peak_rss_kib(void);

/// Processor seconds, user and system, of this process. Why: RUSAGE_SELF is an enum whose import differs by glibc.
double sys_cpu_seconds(void);
