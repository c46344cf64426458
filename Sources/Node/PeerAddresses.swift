internal import EventLoop
internal import Logging
internal import Session
internal import Store

/// The addresses of a peer, for people and scripts.
public struct PeerAddressList: Sendable {
  /// One address.
  public struct Address: Sendable {
    /// Who named an address.
    public enum Origin: Sendable {
      /// The user, for this peer.
      case added
      /// The user, with a ticket.
      case ticket
      /// The peer itself.
      case peer
      /// It is in use, or was stored by an older version.
      case other
    }

    /// `HOST:PORT`
    public let text: String
    /// Who named it.
    public let origin: Origin
    /// The last handshake that this node began succeeded there.
    public let isReached: Bool
  }

  /// The peer's alias.
  public let alias: String
  /// A link is up.
  public let isOnline: Bool
  /// In the order in which they are tried.
  public let addresses: [Address]
}

extension Node {
  /// The addresses at which a peer is dialed.
  public func addresses(of alias: String) async throws -> PeerAddressList { try await peer(alias: alias).addressList() }

  /// Dials the peer at an address of the user's own too, from now on and at once. It stays whatever the peer says of itself.
  public func add(address text: String, to alias: String) async throws -> PeerAddressList {
    let address = try read(address: text)
    return try await changingPeers {
      let peer = try await self.peer(alias: alias)
      try await peer.add(own: address)
      return await peer.addressList()
    }
  }

  /// Dials the peer at an address no longer. One that the peer names itself comes back when it says so again.
  public func remove(address text: String, from alias: String) async throws -> PeerAddressList {
    let address = try read(address: text)
    return try await changingPeers {
      let peer = try await self.peer(alias: alias)
      try await peer.remove(address)
      return await peer.addressList()
    }
  }

  /// Parses `HOST:PORT`, or says what is wrong with it.
  func read(address text: String) throws -> PeerAddress {
    let hint = "for example 192.168.1.20:7411, [fd00::1]:7411 or studio.example.org:7411"
    guard let address = try? PeerAddress(text) else {
      throw NodeError(.usage, "“\(text)” is no HOST:PORT: \(Self.fault(inAddress: text))", hint: hint)
    }
    guard let place = SocketAddress(ip: address.host, port: address.port) else { return address }
    guard !place.isWildcard, AddressScope(of: place) != nil else {
      throw NodeError(.usage, "\(address) is no place that anybody can connect to", hint: hint)
    }
    guard !ownListeners.contains(place) else {
      throw NodeError(
        .usage, "\(address) is this node's own address", hint: "give the address of the other machine: `pawl id` there lists it"
      )
    }
    return address
  }

  private static func fault(inAddress text: String) -> String {
    guard let colon = text.lastIndex(of: ":") else { return "the port is missing" }
    let (host, port) = (text[..<colon], text[text.index(after: colon)...])
    if host.contains(":"), !host.hasPrefix("[") { return "an IPv6 address is written in brackets" }
    if port.isEmpty { return "the port is missing" }
    guard let number = UInt32(port), (1...65_535).contains(number) else { return "the port is a number from 1 to 65535" }
    return host.isEmpty ? "the host is missing" : "“\(host)” is no name or address"
  }
}

extension Peer {
  /// Addresses of the user's own that a peer may have: half of all, so that the peer's word keeps its room.
  static let ownAddresses = PeerAddress.maximumCount / 2

  /// The addresses that the user added, in their order.
  var addedAddresses: [PeerAddress] { addresses.filter { origins.origin(of: $0) == .added } }

  /// What to tell people about the peer's addresses.
  func addressList() -> PeerAddressList {
    PeerAddressList(
      alias: row.alias, isOnline: isLinked,
      addresses: addresses.map { address in
        let origin: PeerAddressList.Address.Origin =
          switch origins.origin(of: address) {
          case .added: .added
          case .given: .ticket
          case .told: .peer
          case .inherited: .other
          }
        return PeerAddressList.Address(
          text: address.description, origin: origin, isReached: row.reachedAddress == address)
      })
  }

  /// Takes in an address of the user's own, stores it and dials it.
  func add(own address: PeerAddress) async throws {
    let others = addedAddresses.filter { $0 != address }
    guard others.count < Self.ownAddresses else {
      throw NodeError(
        .noSpace, "\(row.alias) has \(others.count) addresses of yours already",
        hint: "remove one first: pawl peer address \(row.alias) remove \(others[0])")
    }
    let before = (addresses, origins)
    origins.add(address)
    addresses = PeerReach.merge(reached: row.reachedAddress, added: others + [address], claimed: addresses)
    origins.keep(only: addresses)
    do { try await saveAddresses() } catch {
      (addresses, origins) = before
      throw error
    }
    guard links.isEmpty else { return }
    backoff.startOver(at: MonotonicClock.now, jitter: 0)
    await nudge.fire()
  }

  /// Drops an address, whoever named it.
  func remove(_ address: PeerAddress) async throws {
    guard addresses.contains(address) else {
      throw NodeError(
        .notFound, "\(address) is no address of \(row.alias)", hint: "list them with: pawl peer address \(row.alias)")
    }
    if row.reachedAddress == address {
      try await context.database.setReached(id, nil)
      if let row = try await context.database.peer(id) { adopt(row: row) }
    }
    addresses.removeAll { $0 == address }
    origins.keep(only: addresses)
    try await saveAddresses()
  }

  private func saveAddresses() async throws {
    try await context.database.setCard(id, name: row.name, addresses: origins.texts(of: addresses))
    if let row = try await context.database.peer(id) { adopt(row: row) }
  }
}
