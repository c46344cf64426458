internal import Glibc
public import Primitives

/// The identity on disk: `pawl identity 2\n` ‖ SHA-256 of what follows ‖ the identity's bytes, sealed under the state key. The hash
/// finds a damaged file; the seal keeps it from whoever has not the key. Version 1 held the identity's bytes as they are: it is read once, and sealed.
extension StateFolder {
  private static let magic = [UInt8]("pawl identity 2\n".utf8)
  private static let plainMagic = [UInt8]("pawl identity 1\n".utf8)
  private static let context = [UInt8]("pawl/1 identity file".utf8)
  /// Far above any identity: four seeds and a record.
  private static let identityBytes = 64 << 10

  /// The identity's bytes; nil on a first run. Throws `corruptIdentity` for a file that is not what was written, and
  /// `foreignKey` for one that another key sealed. It is left untouched: an identity that is overwritten cannot be got back.
  public func readIdentity(_ keys: Keyring) throws(StoreError) -> SecretBuffer? {
    guard let (body, isSealed) = try readIdentityFile() else { return nil }
    if isSealed { return try open(body, keys) }
    guard case .plaintext = keys.before else {
      throw StoreError(.foreignKey, locations.identityFile, detail: "the identity is not sealed, and the state beside it is")
    }
    return SecretBuffer(copying: body)
  }

  /// Writes a new identity. Throws `identityExists` if there is one.
  public func writeIdentity(_ bytes: Span<UInt8>, _ keys: Keyring) throws(StoreError) {
    guard try AtomicFile(locations.identityFile).create(with: Self.file(bytes, keys.key).span) else {
      throw StoreError(.identityExists, locations.identityFile, detail: "there is an identity already")
    }
  }

  /// Seals an identity anew that is not sealed, or under the key before.
  func sealIdentity(_ keys: Keyring, _ step: DurableStep) throws(StoreError) {
    guard let (body, isSealed) = try readIdentityFile() else { return }
    if isSealed, StateKey.keyID(of: body) == keys.key.id { return }
    guard let identity = try readIdentity(keys) else { return }
    try AtomicFile(locations.identityFile).replace(with: Self.file(identity.span, keys.key).span, step)
  }

  /// The id of the key that the identity is sealed under; nil if there is none, or it is not sealed.
  func sealedIdentityKey() throws(StoreError) -> [UInt8]? {
    guard let (body, isSealed) = try readIdentityFile(), isSealed else { return nil }
    return StateKey.keyID(of: body)
  }

  private static func file(_ identity: Span<UInt8>, _ key: StateKey) -> [UInt8] {
    let sealed = key.seal(identity, context: context)
    return magic + SHA256Hash.hash(sealed).bytes + sealed
  }

  private func open(_ sealed: [UInt8], _ keys: Keyring) throws(StoreError) -> SecretBuffer {
    let key = if case .key(let old) = keys.before, StateKey.keyID(of: sealed) == old.id { old } else { keys.key }
    do {
      return try key.open(sealed, context: Self.context)
    } catch {
      guard error.code == .wrongKey else {
        throw StoreError(.corruptIdentity, locations.identityFile, detail: "the identity file is damaged")
      }
      throw StoreError(
        .foreignKey, locations.identityFile, detail: "the identity is sealed under another key than the one beside it")
    }
  }

  /// What follows the hash, and whether it is sealed.
  private func readIdentityFile() throws(StoreError) -> (body: [UInt8], isSealed: Bool)? {
    guard let bytes = try AtomicFile(locations.identityFile).read(atMost: Self.identityBytes) else { return nil }
    func corrupt(_ why: String) -> StoreError { StoreError(.corruptIdentity, locations.identityFile, detail: why) }
    let start = Self.magic.count + Digest.byteCount
    guard bytes.count > start else { throw corrupt("the identity file is cut short") }
    let magic = [UInt8](copying: bytes.span.extracting(first: Self.magic.count))
    guard magic == Self.magic || magic == Self.plainMagic else {
      throw corrupt("this is no identity file, or a newer program's")
    }
    let hash = [UInt8](copying: bytes.span.extracting(Self.magic.count..<start))
    let body = [UInt8](copying: bytes.span.extracting(start..<bytes.count))
    guard SHA256Hash.hash(body).bytes == hash else { throw corrupt("the identity file is damaged") }
    return (body, magic == Self.magic)
  }
}
