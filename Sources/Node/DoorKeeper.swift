/// Decides which connections may stay in the doorway: accepted, and not yet known to be a peer's.
///
/// A stranger costs memory and a handshake's arithmetic, so there is a cap on all of them. Whoever sends a message 1 that
/// verifies has shown that it knows our link key: it no longer competes with those who only connect. But revoked peers and
/// readers of old tickets know that key too, so such connections hold at most half of the places. Which of them goes is left to
/// chance: a rule that can be foreseen could be used to push out one that is honest.
struct DoorKeeper {
  /// Connections that have not authenticated yet, in all. Each is gone after five seconds.
  static let maximumUnauthenticated = 64
  /// Of these, connections with a verified message 1: half, so that there is always a connection without one to drop.
  static let maximumGreeted = 32
  /// How many places one address may hold before it has to make the room that is needed. IPv6 counts by /64: that is what one
  /// customer gets. It protects other addresses; while nobody needs the room, one address may hold more.
  static let sharePerAddress = 8

  /// What to do with a connection.
  enum Decision: Equatable {
    /// Let it in.
    case admit
    /// Let it in, and close the one with this number.
    case admitDropping(UInt64)
    /// Close it.
    case refuse
  }

  private struct Guest {
    let number: UInt64
    let network: String
    let isKnown: Bool
    /// Whether its message 1 has verified.
    var isGreeted = false
  }

  /// How many there is room for.
  private let capacity: Int
  /// Oldest first.
  private var guests: [Guest] = []

  /// A doorway for ``maximumUnauthenticated``, or for fewer, where descriptors are scarce.
  init(capacity: Int = maximumUnauthenticated) { self.capacity = min(capacity, Self.maximumUnauthenticated) }

  /// How many connections are in the doorway.
  var count: Int { guests.count }

  /// A new connection, under a number of the caller's. Where there is no room, one without a verified message 1 goes: the oldest
  /// of the addresses that hold more than their share, else the oldest of an address that is no peer's, else the oldest.
  mutating func arrive(_ number: UInt64, address: String, isKnown: Bool) -> Decision {
    let guest = Guest(number: number, network: Self.network(of: address), isKnown: isKnown)
    guard capacity > 0 else { return .refuse }
    guard guests.count >= capacity else {
      guests.append(guest)
      return .admit
    }
    let silent = guests.indices.filter { !guests[$0].isGreeted }
    let crowded = Self.crowded(silent.map { guests[$0].network } + [guest.network])
    let dropped =
      silent.first { crowded.contains(guests[$0].network) } ?? silent.first { !guests[$0].isKnown }
      ?? (isKnown ? silent.first : nil)
    guard let dropped else { return .refuse }
    let loser = guests.remove(at: dropped)
    guests.append(guest)
    return .admitDropping(loser.number)
  }

  /// The message 1 of a connection has verified. Where that makes too many such connections, one of the others goes at random: of
  /// the addresses that hold more than their share, else of all.
  mutating func greet(_ number: UInt64, using generator: inout some RandomNumberGenerator) -> Decision {
    guard let place = guests.firstIndex(where: { $0.number == number }), !guests[place].isGreeted else { return .refuse }
    guests[place].isGreeted = true
    let greeted = guests.filter(\.isGreeted)
    guard greeted.count > min(Self.maximumGreeted, max(1, capacity / 2)) else { return .admit }
    let crowded = Self.crowded(greeted.map(\.network))
    let others = greeted.filter { $0.number != number }
    let losers = others.filter { crowded.contains($0.network) }
    guard let loser = (losers.isEmpty ? others : losers).randomElement(using: &generator) else { return .refuse }
    leave(loser.number)
    return .admitDropping(loser.number)
  }

  /// Whether a connection still has its place.
  func contains(_ number: UInt64) -> Bool { guests.contains { $0.number == number } }

  /// The connection left the doorway: authenticated or closed.
  mutating func leave(_ number: UInt64) {
    guests.removeAll { $0.number == number }
  }

  /// The networks that hold more than their share.
  private static func crowded(_ networks: [String]) -> Set<String> {
    let counts = networks.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
    return Set(counts.filter { $0.value > sharePerAddress }.keys)
  }

  /// What counts as one address: IPv4 whole (also when mapped into IPv6), IPv6 by its first 64 bits.
  static func network(of address: String) -> String {
    let bare = address.split(separator: "%").first.map(String.init) ?? address
    guard bare.contains(":") else { return bare }
    if let mapped = bare.lowercased().firstRange(of: "::ffff:"), bare[mapped.upperBound...].contains(".") {
      return String(bare[mapped.upperBound...])
    }
    // "::" stands for the groups that are missing to eight.
    let halves = bare.lowercased().split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
    var groups = halves[0].split(separator: ":").map(String.init)
    if halves.count == 2 {
      let tail = halves[1].split(separator: ":").map(String.init)
      groups += Array(repeating: "0", count: max(0, 8 - groups.count - tail.count)) + tail
    }
    return groups.prefix(4).joined(separator: ":") + "/64"
  }
}
