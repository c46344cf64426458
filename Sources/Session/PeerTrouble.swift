internal import Wire

/// Something that went wrong between us and a peer and that a user should know of, also when it has healed by itself.
public struct PeerTrouble: Hashable, Sendable {
  /// What it was.
  public enum Kind: UInt8, Hashable, Sendable {
    /// Our state is older than what the peer has seen: it was copied back, restored, or runs twice.
    case rollback = 1
    /// The same of the peer's state.
    case peerRollback = 2
    /// Something of the peer's could not be opened here, or belonged to a session that is not known here: we asked for a
    /// fresh one.
    case lost = 3
    /// The peer asked for a fresh session: it could not go on with the one there was.
    case reset = 4
    /// No one-time pair was left: a session started from signed prekeys alone.
    case fallback = 5
  }

  /// How long a trouble that has healed is told of, in seconds.
  public static let shownFor = 7 * SessionTimes.day

  /// What it was.
  public let kind: Kind
  /// When it was first noticed, Unix seconds.
  public let at: UInt64
  /// When a fresh session was confirmed by both sides, Unix seconds; zero: not yet.
  public internal(set) var healed: UInt64

  /// Whether it has been told of long enough.
  func isOver(at now: UInt64) -> Bool { healed != 0 && healed + Self.shownFor <= now }
}

/// The last troubles with one peer, oldest first.
struct PeerTroubles: Hashable, Sendable {
  /// Kept; the oldest goes first.
  static let maximumCount = 16

  private(set) var list: [PeerTrouble] = []

  /// Adds a trouble, unless it is one with what is already known and has not healed. Returns whether anything changed.
  mutating func note(_ kind: PeerTrouble.Kind, at now: UInt64) -> Bool {
    let open = list.filter { $0.healed == 0 }
    let isPartOfOther = (kind == .lost || kind == .reset) && open.contains { $0.kind != .fallback }
    guard !isPartOfOther, !open.contains(where: { $0.kind == kind }) else { return false }
    list.append(PeerTrouble(kind: kind, at: now, healed: 0))
    list.removeFirst(max(0, list.count - Self.maximumCount))
    return true
  }

  /// All is well again: a fresh session is confirmed, or, `butOldStates`, the one there is works after all, which says
  /// nothing of a state that was copied back. Returns whether anything changed.
  mutating func heal(at now: UInt64, butOldStates: Bool = false) -> Bool {
    var isChanged = false
    for index in list.indices where list[index].healed == 0 {
      if butOldStates, list[index].kind == .rollback || list[index].kind == .peerRollback { continue }
      list[index].healed = max(1, now)
      isChanged = true
    }
    return isChanged
  }

  /// Forgets what has been told of long enough. Returns whether anything changed.
  mutating func expire(at now: UInt64) -> Bool {
    let count = list.count
    list.removeAll { $0.isOver(at: now) }
    return list.count != count
  }

  init() {}

  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws {
    for _ in 0..<(try reader.u8()) {
      guard let kind = PeerTrouble.Kind(rawValue: try reader.u8()) else { throw SessionError(.corruptState) }
      let at = try reader.u64()
      list.append(PeerTrouble(kind: kind, at: at, healed: try reader.u64()))
    }
  }

  func write(to writer: inout ByteWriter) {
    writer.u8(UInt8(list.count))
    for trouble in list {
      writer.u8(trouble.kind.rawValue)
      writer.u64(trouble.at)
      writer.u64(trouble.healed)
    }
  }
}
