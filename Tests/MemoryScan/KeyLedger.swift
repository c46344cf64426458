import Synchronization

/// The keys a test has seen, each masked, so that the collection itself is no copy of any of them.
///
/// Every byte is XORed with one constant. Keys are only ever handled byte by byte here: no word of one is left behind on a
/// stack by the bookkeeping.
public final class KeyLedger: Sendable {
  /// What every byte is masked with.
  public static let mask: UInt8 = 0xA7

  /// One key.
  public struct Entry: Sendable {
    /// What it is, in words.
    public let kind: String
    /// Its bytes, masked.
    public let masked: [UInt8]

    /// Writes its bytes over memory of the same length, which should be wiped some time.
    public func restore(into memory: inout MutableSpan<UInt8>) {
      for index in masked.indices { memory[index] = masked[index] ^ KeyLedger.mask }
    }
  }

  private struct State {
    var entries: [Entry] = []
    var known: Set<[UInt8]> = []
  }

  private let state = Mutex(State())

  /// No keys.
  public init() {}

  /// Notes a key of at least 16 bytes. One that is known stays what it was called first, unless this name is the better one.
  public func note(_ kind: String, _ key: Span<UInt8>, isBetter: Bool = false) {
    precondition(key.count >= 16, "shorter keys could be found by accident")
    var masked = [UInt8](repeating: 0, count: key.count)
    var isZero = true
    for index in 0..<key.count {
      masked[index] = key[index] ^ Self.mask
      if key[index] != 0 { isZero = false }
    }
    guard !isZero else { return }
    state.withLock { state in
      guard state.known.insert(masked).inserted else {
        guard isBetter, let index = state.entries.firstIndex(where: { $0.masked == masked }) else { return }
        state.entries[index] = Entry(kind: kind, masked: masked)
        return
      }
      state.entries.append(Entry(kind: kind, masked: masked))
    }
  }

  /// Everything noted, in order.
  public var entries: [Entry] { state.withLock { $0.entries } }

  /// How many of a kind.
  public func count(_ kind: String) -> Int { entries.count { $0.kind == kind } }
}
