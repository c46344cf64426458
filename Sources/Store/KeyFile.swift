internal import Primitives
internal import Wire

/// A state key as it lies in the key file.
enum StoredKey: Sendable {
  /// As it is: whoever has the file has the key.
  case plain(StateKey)
  /// Under a passphrase.
  case wrapped(WrappedKey)

  /// The key's name.
  var id: [UInt8] {
    switch self {
    case .plain(let key): key.id
    case .wrapped(let key): key.id
    }
  }

  /// A key for the file; wrapping it blocks for most of a second.
  init(_ key: StateKey, under passphrase: Passphrase?, cost: PassphraseCost) throws(StoreError) {
    guard let passphrase else {
      self = .plain(key)
      return
    }
    self = .wrapped(try WrappedKey(key, under: passphrase, cost: cost))
  }
}

/// A state key sealed under a key that is derived from a passphrase.
struct WrappedKey: Hashable, Sendable {
  private static let label = Array("pawl/1 wrapped key".utf8)
  /// Bytes of a sealed key.
  static let sealedBytes = StateKey.byteCount + StateKey.overheadBytes
  /// Bytes in the file.
  static let byteCount = StateKey.idBytes + 8 + PasswordHash.saltBytes + sealedBytes

  /// The state key's name, which says nothing of the key.
  let id: [UInt8]
  let cost: PassphraseCost
  let salt: [UInt8]
  /// The key, sealed: 32 bytes and ``StateKey/overheadBytes``.
  let sealed: [UInt8]

  /// All that stands before the sealed key is bound to it.
  private static func context(_ id: [UInt8], _ cost: PassphraseCost, _ salt: [UInt8]) -> [UInt8] {
    var writer = ByteWriter()
    writer.append(label)
    writer.append(id)
    writer.u32(cost.operations)
    writer.u32(cost.memoryKiB)
    writer.append(salt)
    return writer.bytes
  }

  init(_ key: StateKey, under passphrase: Passphrase, cost: PassphraseCost) throws(StoreError) {
    id = key.id
    self.cost = cost
    salt = Randomness.system.bytes(PasswordHash.saltBytes)
    sealed = try passphrase.wrappingKey(salt: salt, cost: cost).seal(key, context: Self.context(id, cost, salt))
  }

  fileprivate init?(_ bytes: Span<UInt8>) {
    do {
      var reader = ByteReader(bytes)
      id = try reader.bytes(StateKey.idBytes)
      cost = PassphraseCost(operations: try reader.u32(), memoryKiB: try reader.u32())
      salt = try reader.bytes(PasswordHash.saltBytes)
      sealed = try reader.bytes(Self.sealedBytes)
      try reader.finish()
    } catch {
      return nil
    }
    guard cost.isSane else { return nil }
  }

  fileprivate func write(to buffer: inout SecretBuffer) {
    buffer.append(id)
    buffer.u32(cost.operations)
    buffer.u32(cost.memoryKiB)
    buffer.append(salt)
    buffer.append(sealed)
  }

  /// The state key; nil if that is not the passphrase. Throws ``CryptoError`` for a record that was tampered with.
  func open(_ passphrase: Passphrase) throws -> StateKey? {
    let wrapping = try passphrase.wrappingKey(salt: salt, cost: cost)
    do {
      let key = try StateKey(opening: sealed, under: wrapping, context: Self.context(id, cost, salt))
      guard key.id == id else { throw CryptoError(.authenticationFailed) }
      return key
    } catch {
      guard (error as? CryptoError)?.code == .wrongKey else { throw error }
      return nil
    }
  }
}

extension StateKey {
  /// Another state key, sealed under this one.
  func seal(_ key: StateKey, context: [UInt8]) -> [UInt8] {
    func seal(_ secret: borrowing SecretBytes) -> [UInt8] { self.seal(secret.span, context: context) }
    return seal(key.secret)
  }

  /// A state key that was sealed under another key.
  convenience init(opening sealed: [UInt8], under key: StateKey, context: [UInt8]) throws(CryptoError) {
    let bytes = try key.open(sealed, context: context)
    guard bytes.count == Self.byteCount else { throw CryptoError(.badLength) }
    self.init(SecretBytes(copying: bytes.span))
  }
}

/// The file beside the identity that holds the key of all stored secrets.
///
/// `pawl key 1\n` ‖ SHA-256 of what follows ‖ stage u8 ‖ key ‖ (stage 3: the key before it ‖ that key sealed under the new one).
/// A key is `0 ‖ key 32`, or `1 ‖ key id 8 ‖ operations u32 ‖ memory in KiB u32 ‖ salt 16 ‖ sealed key 81`.
/// The hash finds a damaged file, so that a wrong passphrase is told from one; it protects nothing against someone who may write it.
struct KeyFile: Sendable {
  static let magic = [UInt8]("pawl key 1\n".utf8)
  private static let bridgeLabel = Array("pawl/1 key before".utf8)
  /// Far above two keys.
  static let fileBytes = 4 << 10

  /// What was in force before, as long as something may still be sealed under it.
  enum Before: Sendable {
    /// Nothing was sealed: an older program wrote this state.
    case plaintext
    /// A key, and the same key sealed under ``KeyFile/key``: whoever opens the new one needs no other passphrase.
    case key(StoredKey, bridge: [UInt8])
  }

  /// The key that everything is, or is about to be, sealed under.
  let key: StoredKey
  /// Set while everything is sealed anew.
  let before: Before?

  init(_ key: StoredKey, before: Before? = nil) {
    self.key = key
    self.before = before
  }

  /// The context of ``Before/key(_:bridge:)``'s bridge.
  static func bridgeContext(to id: [UInt8]) -> [UInt8] { bridgeLabel + id }

  /// The whole file.
  func encoded() -> SecretBuffer {
    var body = SecretBuffer(capacity: 512)
    switch before {
    case nil:
      body.u8(1)
      Self.write(key, to: &body)
    case .plaintext:
      body.u8(2)
      Self.write(key, to: &body)
    case .key(let old, let bridge):
      body.u8(3)
      Self.write(key, to: &body)
      Self.write(old, to: &body)
      body.append(bridge)
    }
    var file = SecretBuffer(capacity: 1_024)
    file.append(Self.magic)
    file.append(SHA256Hash.hash(secret: body.span).bytes)
    file.append(body.span)
    return file
  }

  private static func write(_ key: StoredKey, to buffer: inout SecretBuffer) {
    switch key {
    case .plain(let key):
      buffer.u8(0)
      buffer.append(key.secret)
    case .wrapped(let key):
      buffer.u8(1)
      key.write(to: &buffer)
    }
  }

  /// Reads ``encoded()``. Nil for anything else, also for a cost that is not sane.
  init?(parsing file: Span<UInt8>) {
    let start = Self.magic.count + Digest.byteCount
    guard file.count > start + 1 else { return nil }
    let body = file.extracting(start..<file.count)
    guard [UInt8](copying: file.extracting(0..<start)) == Self.magic + SHA256Hash.hash(secret: body).bytes else { return nil }
    var position = 1
    guard let key = Self.key(body, &position) else { return nil }
    self.key = key
    switch body[0] {
    case 1: before = nil
    case 2: before = .plaintext
    case 3:
      guard let old = Self.key(body, &position), body.count - position == WrappedKey.sealedBytes else { return nil }
      before = .key(old, bridge: [UInt8](copying: body.extracting(position..<body.count)))
      return
    default: return nil
    }
    guard position == body.count else { return nil }
  }

  private static func key(_ body: Span<UInt8>, _ position: inout Int) -> StoredKey? {
    guard body.count > position else { return nil }
    let kind = body[position]
    let count = kind == 0 ? StateKey.byteCount : WrappedKey.byteCount
    guard kind <= 1, body.count - position > count else { return nil }
    let field = body.extracting(position + 1..<position + 1 + count)
    position += 1 + count
    // A plain one goes straight into locked memory.
    return kind == 0 ? .plain(StateKey(SecretBytes(copying: field))) : WrappedKey(field).map(StoredKey.wrapped)
  }
}
