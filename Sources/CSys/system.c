#define _GNU_SOURCE
#include "CSys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/openat2.h>
#include <linux/rtnetlink.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int result(long value) { return value < 0 ? -errno : (int)value; }

int sys_open_beneath(int dir, const char *path, int flags, unsigned mode) {
  struct open_how how = {
      .flags = (unsigned)flags | O_CLOEXEC,
      .mode = flags & (O_CREAT | __O_TMPFILE) ? mode : 0,
      .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
  };
  return result(syscall(SYS_openat2, dir, path, &how, sizeof how));
}

int sys_rename_noreplace(int from_dir, const char *from, int to_dir, const char *to) {
  return result(renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE));
}

int sys_rename_exchange(int from_dir, const char *from, int to_dir, const char *to) {
  return result(renameat2(from_dir, from, to_dir, to, RENAME_EXCHANGE));
}

int sys_fallocate(int fd, long long offset, long long length) { return result(fallocate(fd, 0, offset, length)); }

int sys_sync_file_range(int fd, long long offset, long long length) {
  return result(sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE));
}

int sys_reopen_direct(int fd) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  return result(open(path, (flags & O_ACCMODE) | O_DIRECT | O_CLOEXEC));
}

int sys_flock(int fd, int exclusive) { return result(flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB)); }

int sys_unlock(int fd) { return result(flock(fd, LOCK_UN)); }

int sys_accept(int fd) { return result(accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }

int sys_watch_addresses(void) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return -errno;
  struct sockaddr_nl groups = {
      .nl_family = AF_NETLINK,
      .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
  };
  if (bind(fd, (struct sockaddr *)&groups, sizeof groups) == 0) return fd;
  int error = errno;
  close(fd);
  return -error;
}

int sys_drain(int fd) {
  char dropped[4096];
  for (int datagrams = 0; datagrams < 64; datagrams++) {
    if (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT | MSG_TRUNC) >= 0) continue;
    if (errno == EAGAIN) return 0;
    if (errno != EINTR && errno != ENOBUFS) return -errno;
  }
  return 0;
}

void sys_name_thread(const char *name) {
  char kept[16] = {0};
  strncpy(kept, name, sizeof kept - 1);
  pthread_setname_np(pthread_self(), kept);
}

void sys_keep_heap_warm(void) {
  mallopt(M_MMAP_THRESHOLD, 2 << 20);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
  mallopt(M_TOP_PAD, 4 << 20);
  mallopt(M_ARENA_MAX, 1);
}

void sys_give_back_heap(void) { malloc_trim(0); }

int sys_save_address_space(unsigned long stack_bytes) {
  struct rlimit space;
  if (getrlimit(RLIMIT_AS, &space) < 0 || space.rlim_cur == RLIM_INFINITY) return 0;
  mallopt(M_ARENA_MAX, 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstacksize(&attributes, stack_bytes) == 0) pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  return 1;
}

long sys_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 1024;
  return limit.rlim_cur > 1 << 30 ? 1 << 30 : (long)limit.rlim_cur;
}

void sys_raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int sys_forbid_core_dumps(void) {
  struct rlimit none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) < 0) return -errno;
  return result(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

long sys_peak_rss_kib(void) {
  char line[256];
  long kib = 0;
  FILE *status = fopen("/proc/self/status", "re");
  while (status && fgets(line, sizeof line, status))
    if (!strncmp(line, "VmHWM:", 6)) kib = atol(line + 6);
  if (status) fclose(status);
  return kib;
}

double sys_cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
}
