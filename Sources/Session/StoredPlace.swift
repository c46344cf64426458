internal import Wire

/// Where a sealed value is stored. It is bound into the seal, so that one row is never taken for another.
public enum StoredPlace: Hashable, Sendable {
  /// A session's state.
  case session(peer: NodeID, SessionID)
  /// A one-time pair that was minted for a peer.
  case pair(peer: NodeID, UInt32)
  /// A generation of signed prekeys.
  case prekey(UInt32)
  /// A ticket, by its 16-byte id.
  case ticket([UInt8])

  /// The context of ``Primitives/StateKey/seal(_:context:randomness:)``: a label, and what names the row.
  public var context: [UInt8] {
    var writer = ByteWriter()
    switch self {
    case .session(let peer, let id):
      writer.text("pawl/1 stored session")
      writer.append(peer.bytes)
      writer.append(id.bytes)
    case .pair(let peer, let id):
      writer.text("pawl/1 stored pair")
      writer.append(peer.bytes)
      writer.u32(id)
    case .prekey(let id):
      writer.text("pawl/1 stored prekey")
      writer.u32(id)
    case .ticket(let id):
      writer.text("pawl/1 stored ticket")
      writer.append(id)
    }
    return writer.bytes
  }
}
