internal import Glibc

/// The names in a folder.
enum FolderListing {
  /// A name that is no UTF-8 cannot travel in a manifest.
  struct NotText: Error {}
  /// The folder could not be read.
  struct Failed: Error { let number: CInt }

  /// The names without `.` and `..`, in no particular order.
  static func names(in folder: Descriptor) throws -> [String] {
    // A second descriptor, because closedir closes the one it is given, and one that starts at the beginning.
    let raw = openat(folder.raw, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard raw >= 0 else { throw Failed(number: errno) }
    guard let stream = fdopendir(raw) else {
      close(raw)
      throw Failed(number: errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw Failed(number: errno) }
        return names
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
      }
      guard let name else { throw NotText() }
      if name != ".", name != ".." { names.append(name) }
    }
  }
}
