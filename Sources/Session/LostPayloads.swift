internal import Wire

/// Payloads that were committed and that nobody will receive: their session was given up, and what was in them is not known any more.
///
/// Payloads are never stored as they are, so after a restart an envelope that its session no longer carries is lost. Whoever posted
/// it is told; what must arrive is kept by whoever wants it to, in a table of its own, and said again.
public struct LostPayloads: Hashable, Sendable {
  /// How long they are told of, in seconds.
  public static let shownFor = PeerTrouble.shownFor

  /// How many, since the first that is still told of.
  public private(set) var count = 0
  /// When the last of them was lost, Unix seconds.
  public private(set) var at: UInt64 = 0
  /// Payloads whose session was given up and that wait in memory to be sealed again: the end of the process loses them.
  private(set) var afloat = 0

  init() {}

  /// So many more are lost.
  mutating func note(_ more: Int, at now: UInt64) {
    count = min(count + more, Int(UInt32.max))
    at = now
  }

  /// So many more wait in memory, before all others.
  mutating func noteRequeued(_ more: Int) { afloat = min(afloat + more, Int(UInt16.max)) }

  /// The first of the payloads that wait was sealed again.
  mutating func noteResealed() { afloat = max(0, afloat - 1) }

  /// Counts what the last process took with it, if more were afloat than wait now. Returns how many.
  mutating func settle(waiting: Int, at now: UInt64) -> Int {
    let gone = afloat - waiting
    guard gone > 0 else { return 0 }
    afloat = waiting
    note(gone, at: now)
    return gone
  }

  /// Forgets what has been told of long enough. Returns whether anything changed.
  mutating func expire(at now: UInt64) -> Bool {
    guard count > 0, at + Self.shownFor <= now else { return false }
    count = 0
    at = 0
    return true
  }

  @_lifetime(reader: copy reader)
  init(from reader: inout ByteReader) throws(WireError) {
    count = Int(try reader.u32())
    at = try reader.u64()
    afloat = Int(try reader.u16())
  }

  func write(to writer: inout ByteWriter) {
    writer.u32(UInt32(count))
    writer.u64(at)
    writer.u16(UInt16(afloat))
  }
}

extension PeerMachine {
  /// Payloads that could not be delivered, for seven days; nil if there were none.
  public func lostPayloads(at now: UInt64) -> LostPayloads? {
    var lost = book.lost
    _ = lost.expire(at: now)
    return lost.count > 0 ? lost : nil
  }

  /// What was lost with the process before this one, and what has been told of long enough.
  mutating func settleLostPayloads(at now: UInt64, into outcome: inout Outcome) {
    let isOver = book.lost.expire(at: now)
    let gone = book.lost.settle(waiting: waiting.payloads.count, at: now)
    if gone > 0 { outcome.events.append(.undeliverable(.none, count: gone)) }
    if isOver || gone > 0 { outcome.commit.append(.putState(book.stored)) }
  }
}
