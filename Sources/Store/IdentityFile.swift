internal import Glibc
internal import Primitives

/// The identity on disk: `pawl identity 1\n` ‖ SHA-256 of what follows ‖ the identity's bytes. The hash finds a damaged file; it
/// protects nothing against someone who may write it.
extension StateFolder {
  private static let magic = [UInt8]("pawl identity 1\n".utf8)
  /// Far above any identity: four seeds, sealed or not.
  private static let identityBytes = 64 << 10

  /// The identity's bytes; nil on a first run. Throws `corruptIdentity` for a file that is not what was written, which is
  /// left untouched: an identity that is overwritten cannot be got back.
  public func readIdentity() throws(StoreError) -> [UInt8]? {
    let path = locations.identityFile
    guard let file = Descriptor.open(path, O_RDONLY | O_NOFOLLOW) else {
      if errno == ENOENT { return nil }
      if errno == ELOOP { throw StoreError(.insecure, path, detail: "a symbolic link stands where the identity belongs") }
      throw .state(errno, path)
    }
    guard let status = file.status() else { throw .state(errno, path) }
    func corrupt(_ why: String) -> StoreError { StoreError(.corruptIdentity, path, detail: why) }
    guard status.isRegular, status.st_size <= Self.identityBytes else { throw corrupt("this is no identity file") }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    let count = bytes.withUnsafeMutableBytes { file.read(into: $0, at: 0) }
    guard count >= 0 else { throw .state(errno, path) }
    guard count == bytes.count, count > Self.magic.count + 32 else { throw corrupt("the identity file is cut short") }
    guard bytes.starts(with: Self.magic) else { throw corrupt("this is no identity file, or a newer program's") }
    let body = Array(bytes[(Self.magic.count + 32)...])
    guard SHA256Hash.hash(body).bytes == Array(bytes[Self.magic.count..<Self.magic.count + 32]) else {
      throw corrupt("the identity file is damaged")
    }
    return body
  }

  /// Writes a new identity: to a temporary file, synced, then given its name, so that a crash leaves all of it or nothing.
  /// Throws `identityExists` if there is one.
  public func writeIdentity(_ bytes: [UInt8]) throws(StoreError) {
    let path = locations.identityFile
    let whole = Self.magic + SHA256Hash.hash(bytes).bytes + bytes
    guard let folder = Descriptor.open(locations.identity, O_RDONLY | O_DIRECTORY) else {
      throw .state(errno, locations.identity)
    }
    if unlinkat(folder.raw, "identity.new", 0) != 0, errno != ENOENT { throw .state(errno, path) }
    guard let file = folder.open("identity.new", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600) else {
      throw .state(errno, path)
    }
    guard whole.withUnsafeBytes({ file.write($0, at: 0) }), fsync(file.raw) == 0 else { throw .state(errno, path) }
    guard Rename.withoutReplacing(folder, "identity.new", folder, "identity") else {
      let number = errno
      unlinkat(folder.raw, "identity.new", 0)
      if number == EEXIST { throw StoreError(.identityExists, path, detail: "there is an identity already") }
      throw .state(number, path)
    }
    guard fsync(folder.raw) == 0 else { throw .state(errno, path) }
  }
}
