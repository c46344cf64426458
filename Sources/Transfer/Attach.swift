public import Primitives

/// The one message that opens a data connection (annex A8): cid ‖ HMAC(ckey, "pawl/1 attach" ‖ cid), behind the byte 03.
public enum Attach {
  /// The message's length.
  public static let byteCount = TransferLimits.idBytes + HMACSHA256.byteCount
  private static let label = Array("pawl/1 attach".utf8)

  /// What the side that dials sends.
  public static func message(connection: ConnectionID, key: SecretBox) -> [UInt8] {
    connection.bytes + HMACSHA256.authenticate(key: key.bytes, message: label + connection.bytes).copyBytes()
  }

  /// The connection that a message claims to open; nil unless it has the length of one.
  public static func connection(of message: [UInt8]) -> ConnectionID? {
    guard message.count == byteCount else { return nil }
    return ConnectionID(Array(message[..<TransferLimits.idBytes]))
  }

  /// Whether a message was made by someone who has the connection's key. In constant time.
  public static func isValid(_ message: [UInt8], key: SecretBox) -> Bool {
    guard let connection = connection(of: message) else { return false }
    return HMACSHA256.isValid(
      Array(message[TransferLimits.idBytes...]), key: key.bytes, message: label + connection.bytes)
  }
}

/// The data connections that a node expects others to open: each opens once, within 30 seconds of its request.
///
/// `Owner` says what to do with the connection: a transfer of ours, or a peer that we serve.
public struct AttachDesk<Owner: Sendable>: Sendable {
  private struct Expected {
    let key: SecretBox
    let owner: Owner
    let expires: Duration
  }

  private var expected: [ConnectionID: Expected] = [:]
  private let limit: Int

  /// An empty desk for at most `limit` connections at a time: what all peers together may have in the making.
  public init(limit: Int = 256) { self.limit = limit }

  /// How many are expected.
  public var count: Int { expected.count }

  /// Waits for a connection. False, and nothing is changed, if its name is taken or the desk is full.
  public mutating func expect(_ connection: ConnectionID, key: SecretBox, owner: Owner, at now: Duration) -> Bool {
    expire(at: now)
    guard expected[connection] == nil, expected.count < limit else { return false }
    expected[connection] = Expected(key: key, owner: owner, expires: now + TransferLimits.attachWindow)
    return true
  }

  /// Whose connection a message opens; nil if it opens none: the stranger gets no answer. A message that is let in lets nobody
  /// else in. One that is not leaves the desk as it was, so that a stranger cannot use up another's place.
  public mutating func admit(_ message: [UInt8], at now: Duration) -> (connection: ConnectionID, owner: Owner)? {
    guard let connection = Attach.connection(of: message), let entry = expected[connection], now < entry.expires,
      Attach.isValid(message, key: entry.key)
    else { return nil }
    expected[connection] = nil
    return (connection, entry.owner)
  }

  /// No longer expects a connection.
  public mutating func forget(_ connection: ConnectionID) { expected[connection] = nil }

  /// No longer expects those whose time is over.
  public mutating func expire(at now: Duration) {
    guard expected.values.contains(where: { now >= $0.expires }) else { return }
    expected = expected.filter { now < $0.value.expires }
  }
}
