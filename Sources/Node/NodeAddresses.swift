internal import EventLoop
internal import Logging
internal import Session

/// Advertised addresses, forbidden addresses, and reactions to address changes.
extension Node {
  /// From the first word of a change to acting on it: addresses come in bursts, and IPv6 ones are checked for a moment.
  static let addressSettleTime = Duration.milliseconds(500)
  /// The longest such time, where addresses come and go without an end: it doubles with each change.
  static let longestAddressSettleTime = Duration.seconds(16)
  /// After so long without a change it is short again.
  static let addressCalmTime = Duration.seconds(60)

  /// The places at which this node itself would answer.
  var ownListeners: OwnListeners { OwnListeners(listening: listening, interfaces: context.network.interfaces()) }

  /// A new peer's addresses as they are stored: those of the ticket are the user's, the rest is what the peer said over the
  /// connection of the pairing. What no link could make good is left out. What the user added to a peer that pairs again stays.
  func stored(
    _ addresses: [PeerAddress], of owner: NodeID, given: [PeerAddress] = [], toldOver connection: SecureConnection
  ) async -> [String] {
    let added = await peers[owner]?.addedAddresses ?? []
    var origins = AddressOrigins(given: given)
    for address in added { origins.add(address) }
    origins.note(addresses, toldOver: connection.ends.map { context.network.scope(ofLinkTo: $0.remote) } ?? .publicNetwork)
    let rules = DialRules(origins: origins, own: ownListeners)
    return origins.texts(of: PeerReach.merge(reached: nil, added: added, claimed: addresses.filter(rules.mayKeep)))
  }

  /// The addresses that links may run over, without what IPv6 gives every interface for itself.
  func localAddresses() -> Set<[UInt8]> {
    Set(context.network.interfaces().map(\.address).filter { !($0.isIPv6 && $0.isLinkLocal) }.map(\.addressBytes))
  }

  /// Acts on every change of this machine's addresses, for as long as the node runs. `before` is what they were at its
  /// start, and `said` what it said of itself then.
  func followAddresses(since before: Set<[UInt8]>, said: [UInt8]) async {
    var known = before
    var said = said
    var settleTime = Self.addressSettleTime
    var last: Duration?
    for await _ in context.network.changes(on: context.loop) {
      let isCalm = last.map { MonotonicClock.now - $0 > Self.addressCalmTime } ?? true
      settleTime = isCalm ? Self.addressSettleTime : min(Self.longestAddressSettleTime, settleTime * 2)
      guard (try? await context.loop.sleep(for: settleTime)) != nil, !isStopping else { return }
      let now = localAddresses()
      // None at all: the system does not tell.
      let hasMoved = !now.isEmpty && now != known
      if hasMoved {
        last = MonotonicClock.now
        known = now
      }
      let hello = hello()
      await look(hasMoved: hasMoved, hello: hello == said ? nil : hello)
      said = hello
    }
  }

  /// Peers are told side by side: one that reads nothing must not keep the news from the others.
  private func look(hasMoved: Bool, hello: [UInt8]?) async {
    if hasMoved {
      context.logger.info("this machine's addresses changed", metadata: ["now": "\(advertisedAddresses())"])
    }
    await withTaskGroup(of: Void.self) { group in
      for peer in peers.values { group.addTask { await peer.look(hasMoved: hasMoved, hello: hello) } }
      for puller in pulls.values { group.addTask { await puller.endDeadConnections() } }
      for server in servers.values { group.addTask { await server.endDeadConnections() } }
    }
  }
}

extension NetworkView {
  /// Whether anything can still come in on a stream. To be called on its loop.
  func carries(_ stream: TCPStream) -> Bool { stream.assumeIsolated { $0.localAddress }.map(has) ?? true }
}

extension Peer {
  /// This machine's addresses may have changed. Links over those that are gone end, since nothing more comes on them; the peer is
  /// dialed at once, as far as the spacing allows, and told of the new ones.
  func look(hasMoved: Bool, hello: [UInt8]?) async {
    let dead = links.filter { link in link.connection.ends?.local.map { !context.network.has($0) } ?? false }
    await withTaskGroup(of: Void.self) { group in
      for link in dead { group.addTask { await self.detach(link, because: "this machine's address is gone") } }
      if hasMoved || !dead.isEmpty { backoff.startOver(at: MonotonicClock.now, jitter: Double.random(in: 0...1)) }
    }
    if let hello { adopt(hello: hello) }
    await nudge.fire()
  }
}
