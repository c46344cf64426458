public import Primitives
internal import Wire

/// Where a secret lies in the store. It is sealed for this place: a row that was moved or swapped does not open.
public enum SecretPlace: Hashable, Sendable {
  /// A session with that peer.
  case session(SessionID, of: NodeID)
  /// A one-time pair minted for that peer.
  case pair(UInt32, of: NodeID)
  /// A generation of the node's signed prekeys.
  case prekeys(UInt32)

  /// What the seal covers beside the bytes: `"pawl/1 state session"‖peer 32‖sid 16`, `"pawl/1 state pair"‖peer 32‖id u32` or
  /// `"pawl/1 state prekeys"‖id u32`.
  var context: [UInt8] {
    var writer = ByteWriter(capacity: 72)
    switch self {
    case .session(let id, let peer):
      writer.text("pawl/1 state session")
      writer.append(peer.bytes)
      writer.append(id.bytes)
    case .pair(let id, let peer):
      writer.text("pawl/1 state pair")
      writer.append(peer.bytes)
      writer.u32(id)
    case .prekeys(let id):
      writer.text("pawl/1 state prekeys")
      writer.u32(id)
    }
    return writer.bytes
  }

  /// A stored row, sealed under another key. With no old key the row is one of an earlier version, which sealed nothing.
  ///
  /// Throws ``SessionError/Code/corruptState`` for a row that the old key does not open here, or that is not what an
  /// earlier version wrote.
  public func reseal(_ stored: [UInt8], from old: StateKey?, to new: StateKey) throws(SessionError) -> [UInt8] {
    guard let old else {
      guard stored.first == 1 else { throw SessionError(.corruptState) }
      return new.seal(stored.span, context: context)
    }
    let opened = try open(stored, with: old)
    return new.seal(opened.span, context: context)
  }

  /// What was sealed for this place.
  func open(_ sealed: [UInt8], with key: StateKey) throws(SessionError) -> SecretBuffer {
    do {
      return try key.open(sealed, context: context)
    } catch {
      throw SessionError(error.code == .wrongKey ? .wrongStateKey : .corruptState)
    }
  }
}

/// A secret on its way into the store: encoded only when it is asked for, and then handed out only sealed.
///
/// It holds the value as it was when the commit was made. Equal to itself alone.
public final class StoredSecret: Sendable {
  /// Where it belongs.
  public let place: SecretPlace
  private let write: @Sendable (inout SecretBuffer) -> Void

  /// A secret that `write` encodes, in memory that is wiped.
  init(_ place: SecretPlace, write: @escaping @Sendable (inout SecretBuffer) -> Void) {
    self.place = place
    self.write = write
  }

  /// The bytes for the store's row.
  public func sealed(with key: StateKey) -> [UInt8] {
    var buffer = SecretBuffer(capacity: 8_192)
    write(&buffer)
    return key.seal(buffer.span, context: place.context)
  }
}

extension StoredSecret: Hashable {
  /// The same value, not an equal one.
  public static func == (one: StoredSecret, other: StoredSecret) -> Bool { one === other }

  /// By identity.
  public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}
