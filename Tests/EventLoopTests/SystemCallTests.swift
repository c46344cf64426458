import CSys
import EventLoop
import Glibc
import Testing

/// What the shims promise to the rooms above.
struct SystemCallTests {
  /// A folder with `inside/file`, a symlink to it and one that leads out.
  private func withTree(_ body: (String, CInt) throws -> Void) async throws {
    try await withFolder { folder in
      mkdir(folder + "/inside", 0o700)
      close(open(folder + "/inside/file", O_CREAT | O_WRONLY, 0o600))
      symlink("inside/file", folder + "/link")
      symlink("inside", folder + "/folder-link")
      symlink("/etc", folder + "/out")
      let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      defer { close(descriptor) }
      try body(folder, descriptor)
    }
  }

  @Test func nothingIsOpenedThroughASymlinkOrOutsideTheFolder() async throws {
    try await withTree { folder, descriptor in
      let good = sys_open_beneath(descriptor, "inside/file", O_RDONLY, 0)
      if [-ENOSYS, -EPERM].contains(good) { return }  // a kernel or a filter without openat2
      #expect(good >= 0)
      #expect(fcntl(good, F_GETFD) & FD_CLOEXEC != 0)
      close(good)
      for path in ["link", "folder-link/file", "out/passwd"] {
        #expect(sys_open_beneath(descriptor, path, O_RDONLY, 0) == -ELOOP)
      }
      for path in ["../", "inside/../../x", "/etc/passwd", folder + "/inside/file"] {
        #expect(sys_open_beneath(descriptor, path, O_RDONLY, 0) == -EXDEV)
      }
      let made = sys_open_beneath(descriptor, "inside/new", O_CREAT | O_EXCL | O_WRONLY, 0o600)
      #expect(made >= 0)
      close(made)
      #expect(sys_open_beneath(descriptor, "inside/new", O_CREAT | O_EXCL | O_WRONLY, 0o600) == -EEXIST)
    }
  }

  @Test func aRenameNeverReplacesUnlessAskedToExchange() async throws {
    try await withTree { folder, descriptor in
      close(open(folder + "/other", O_CREAT | O_WRONLY, 0o640))
      #expect(sys_rename_noreplace(descriptor, "other", descriptor, "inside/file") == -EEXIST)
      #expect(sys_rename_noreplace(descriptor, "other", descriptor, "moved") == 0)
      #expect(sys_rename_exchange(descriptor, "moved", descriptor, "inside/file") == 0)
      var info = stat()
      #expect(lstat(folder + "/inside/file", &info) == 0 && info.st_mode & 0o777 == 0o640)
      #expect(lstat(folder + "/moved", &info) == 0 && info.st_mode & 0o777 == 0o600)
      #expect(sys_rename_noreplace(descriptor, "absent", descriptor, "x") == -ENOENT)
    }
  }

  @Test func reservingRoomExtendsTheFile() async throws {
    try await withTree { folder, _ in
      let file = open(folder + "/inside/file", O_RDWR)
      defer { close(file) }
      let result = sys_fallocate(file, 0, 10_000)
      if result == -EOPNOTSUPP { return }
      var info = stat()
      #expect(result == 0 && fstat(file, &info) == 0 && info.st_size == 10_000)
      #expect(sys_sync_file_range(file, 0, 10_000) == 0)
    }
  }

  @Test func aLockIsHeldOnceAndFreedWithItsDescriptor() async throws {
    try await withTree { folder, descriptor in
      let second = open(folder, O_RDONLY | O_DIRECTORY)
      let third = open(folder, O_RDONLY | O_DIRECTORY)
      defer { close(third) }
      #expect(sys_flock(second, 1) == 0)
      #expect(sys_flock(third, 1) == -EWOULDBLOCK)
      #expect(sys_flock(third, 0) == -EWOULDBLOCK)
      // A copy of the descriptor, as a child process has one, holds the lock until it is given back explicitly.
      let copy = dup(second)
      #expect(sys_unlock(second) == 0)
      #expect(sys_flock(third, 0) == 0)
      #expect(sys_unlock(third) == 0 && sys_flock(second, 1) == 0)
      close(second)
      #expect(sys_flock(third, 0) == -EWOULDBLOCK)
      close(copy)
      #expect(sys_flock(third, 0) == 0)
      #expect(sys_flock(descriptor, 0) == 0)
    }
  }

  @Test func memoryAndProcessorTimeAreMeasured() {
    #expect(sys_peak_rss_kib() > 1000)
    #expect(sys_cpu_seconds() > 0)
  }

  @Test func threadsCarryTheirNames() async throws {
    let pool = WorkerPool(threads: 1, name: "pawl.test")
    let name = try await pool.run {
      var bytes = [UInt8](repeating: 0, count: 32)
      let file = open("/proc/thread-self/comm", O_RDONLY)
      defer { close(file) }
      let count = read(file, &bytes, bytes.count)
      return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
    #expect(name == "pawl.test.0\n")
    await pool.stop()
  }
}
