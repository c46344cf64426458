public import Primitives

/// What a user types to open the state: 1 to 1,024 bytes without a line end or NUL, wiped when the last holder lets go.
///
/// The bytes count as they come. They are not normalised: a passphrase need not be text, and turning it into text would leave copies
/// that nothing wipes.
public final class Passphrase: Sendable {
  /// The longest one: more than anybody types, little enough to be read before it is believed.
  public static let maximumBytes = 1_024

  private let bytes: SecretBuffer

  /// Nil for bytes that are no passphrase: none, too many, or a line end or NUL among them.
  public init?(_ bytes: consuming SecretBuffer) {
    guard (1...Self.maximumBytes).contains(bytes.count) else { return nil }
    for index in 0..<bytes.count where bytes.span[index] == 0x0A || bytes.span[index] == 0 { return nil }
    self.bytes = bytes
  }

  /// Whether both are the same bytes, in time that depends on the lengths alone.
  public func isEqual(to other: Passphrase) -> Bool { Self.areEqual(bytes, other.bytes) }

  private static func areEqual(_ one: borrowing SecretBuffer, _ other: borrowing SecretBuffer) -> Bool {
    one.isEqual(to: other.span)
  }

  /// The key that wraps the state key. Blocks for most of a second. Throws `noMemory`.
  func wrappingKey(salt: [UInt8], cost: PassphraseCost) throws(StoreError) -> StateKey {
    do {
      return try Self.derive(bytes, salt, cost)
    } catch {
      throw StoreError(
        .noMemory, detail: "a passphrase takes \(cost.memoryKiB >> 10) MiB of memory to check, and there is less")
    }
  }

  private static func derive(
    _ bytes: borrowing SecretBuffer, _ salt: [UInt8], _ cost: PassphraseCost
  ) throws(CryptoError) -> StateKey {
    let key = try PasswordHash.argon2id(
      password: bytes.span, salt: salt, operations: Int(cost.operations), memoryBytes: Int(cost.memoryKiB) << 10)
    return StateKey(key)
  }
}

/// What one guess at a passphrase costs.
struct PassphraseCost: Hashable, Sendable {
  /// Passes over the memory.
  let operations: UInt32
  /// The memory of one guess.
  let memoryKiB: UInt32

  /// 3 passes over 256 MiB, libsodium's "moderate": about 0.7 s once a start, and a gibibyte's worth of work a guess for whoever copied the folder.
  /// RFC 9106's first choice, 2 GiB, does not fit the small machines a node may run on.
  static let standard = PassphraseCost(operations: 3, memoryKiB: 256 << 10)

  /// What a file may ask for: four times the memory and five times the passes, so that a later version has room, and a doctored file
  /// costs seconds and not the machine.
  static let maximumOperations: UInt32 = 16
  static let maximumMemoryKiB: UInt32 = 1 << 20
  /// Argon2's own least.
  static let minimumMemoryKiB: UInt32 = 8

  /// Whether a key file may ask for it.
  var isSane: Bool {
    (1...Self.maximumOperations).contains(operations) && (Self.minimumMemoryKiB...Self.maximumMemoryKiB).contains(memoryKiB)
  }
}
