internal import Glibc
public import Primitives

/// The key that the state's secrets are sealed under: 32 bytes in a 0600 file beside the identity.
extension StateFolder {
  private static let keyName = "state.key"

  /// The key, made on the first run. Throws `corruptIdentity` for a file that is no key, which is left untouched.
  public func stateKey(_ randomness: Randomness = .system) throws(StoreError) -> StateKey {
    let path = "\(locations.identity)/\(Self.keyName)"
    guard let folder = Descriptor.open(locations.identity, O_RDONLY | O_DIRECTORY) else {
      throw .state(errno, locations.identity)
    }
    if let file = folder.open(Self.keyName, O_RDONLY | O_NOFOLLOW) { return try Self.read(file, path) }
    guard errno == ENOENT else { throw .state(errno, path) }
    let key = StateKey.random(randomness)
    let temporary = Self.keyName + ".new"
    if unlinkat(folder.raw, temporary, 0) != 0, errno != ENOENT { throw .state(errno, path) }
    guard let file = folder.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600) else {
      throw .state(errno, path)
    }
    let bytes = key.secret.clone()
    guard bytes.span.withUnsafeBytes({ file.write($0, at: 0) }), fsync(file.raw) == 0,
      Rename.withoutReplacing(folder, temporary, folder, Self.keyName), fsync(folder.raw) == 0
    else { throw .state(errno, path) }
    return key
  }

  private static func read(_ file: borrowing Descriptor, _ path: String) throws(StoreError) -> StateKey {
    guard let status = file.status() else { throw .state(errno, path) }
    guard status.isRegular, status.st_size == StateKey.byteCount else {
      throw StoreError(.corruptIdentity, path, detail: "this is no state key")
    }
    var key = SecretBytes(zeroes: StateKey.byteCount)
    var span = key.mutableSpan
    guard span.withUnsafeMutableBytes({ file.read(into: $0, at: 0) }) == StateKey.byteCount else {
      throw .state(errno, path)
    }
    return StateKey(key)
  }
}
