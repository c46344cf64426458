/// Decides which connections may stand in the doorway: accepted, but not yet known to be a peer's.
///
/// A stranger costs memory and a handshake's arithmetic, so there is a cap on all of them, a lower one for each address, and a
/// few places that only addresses of known peers may take. Where the doorway is full the oldest stranger has to go: it had
/// its chance, and someone who keeps connections open must not keep others out.
struct DoorKeeper {
  /// Connections that have not authenticated yet, in all. Each is gone after five seconds.
  static let maximumUnauthenticated = 64
  /// Of these, from one address. IPv6 counts by /64: that is what one customer gets.
  static let maximumPerAddress = 8
  /// Places in the doorway that only addresses of known peers may take.
  static let reservedForKnown = 16

  /// What to do with a new connection.
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
  }

  private var guests: [Guest] = []

  /// How many stand in the doorway.
  var count: Int { guests.count }

  /// A new connection, under a number of the caller's.
  mutating func arrive(_ number: UInt64, address: String, isKnown: Bool) -> Decision {
    let network = Self.network(of: address)
    let guest = Guest(number: number, network: network, isKnown: isKnown)
    // A full address makes room itself: eight silent connections of a stranger behind a peer's router must not keep the peer out.
    if guests.count(where: { $0.network == network }) >= Self.maximumPerAddress {
      guard let oldest = guests.firstIndex(where: { $0.network == network }) else { return .refuse }
      let dropped = guests.remove(at: oldest)
      guests.append(guest)
      return .admitDropping(dropped.number)
    }
    let strangers = guests.count { !$0.isKnown }
    let isFull = guests.count >= Self.maximumUnauthenticated
    let isFullForStrangers = !isKnown && strangers >= Self.maximumUnauthenticated - Self.reservedForKnown
    guard isFull || isFullForStrangers else {
      guests.append(guest)
      return .admit
    }
    guard let oldest = guests.firstIndex(where: { !$0.isKnown }) else { return .refuse }
    let dropped = guests.remove(at: oldest)
    guests.append(guest)
    return .admitDropping(dropped.number)
  }

  /// The connection left the doorway: authenticated or closed.
  mutating func leave(_ number: UInt64) {
    guests.removeAll { $0.number == number }
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
