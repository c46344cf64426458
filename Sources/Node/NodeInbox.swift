internal import Artifact
internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// What peers say, once their session has committed it.
///
/// Nothing here waits for the disk, since a peer's session waits for it. Messages of a transfer and answers count at once, in order;
/// their bounds are those of who gets them. Questions stand in a line of the peer's own, and are dropped where it is full: who asked
/// asks again. What a peer says of itself counts at once, too; that it is stored waits, for the last word alone.
extension Node: PeerInbox {
  func deliver(_ payload: Delivered, from peer: Peer, over scope: AddressScope) async {
    // Revoked, blocked or paired anew while this was on its way.
    guard peers[peer.id] === peer else { return }
    let message: ControlMessage
    do {
      guard let known = try ControlMessage.parse(payload.payload) else {
        context.peerLog.note(.debug, "a message of an unknown type", peer: String(peer.id.hex.prefix(16)))
        return
      }
      message = known
    } catch {
      context.peerLog.note(
        .warning, "a malformed message", peer: String(peer.id.hex.prefix(16)), metadata: ["error": "\(error.code)"])
      return
    }
    switch message {
    case .hello(let hello): await greeted(hello, by: peer, over: scope)
    case .catalogRequest(let request): await server(for: peer).receive(.page(request))
    case .resolve(let request): await server(for: peer).receive(.resolve(request))
    case .catalog(let catalog): await peer.answer(catalog.request, with: .success(message))
    case .resolved(let resolved): await peer.answer(resolved.request, with: .success(message))
    case .want(let want): await server(for: peer).receive(want, session: payload.session)
    case .grant(let grant):
      guard let session = SegmentSession(payload.session.bytes) else { return }
      await puller(grant.transfer, of: peer)?.post(.granted(grant, session))
    case .deny(let deny): await puller(deny.transfer, of: peer)?.post(.denied(deny))
    }
  }

  /// Whether this is still what is known of its node.
  private func isLive(_ peer: Peer) -> Bool { peers[peer.id] === peer }

  private func puller(_ transfer: TransferID, of peer: Peer) -> Puller? {
    guard let puller = pulls[transfer], puller.peer.id == peer.id else { return nil }
    return puller
  }

  private func greeted(_ hello: Hello, by peer: Peer, over scope: AddressScope) async {
    guard let card = try? Card(name: hello.name, addresses: hello.addresses.compactMap { try? PeerAddress($0) }) else { return }
    await peer.adopt(card, toldOver: scope)
    await peer.note(name: card.name)
    await peer.greetings.put { if await self.isLive(peer) { await peer.saveCardIfDue() } }
  }

  /// What this node says of itself in the first envelope of a session.
  func hello() -> [UInt8] {
    ControlMessage.hello(Hello(name: ownName, addresses: advertisedAddresses().map(\.description))).payload
  }

  /// The serving half of a peer.
  func server(for peer: Peer) -> PeerServer {
    if let server = servers[peer.id] { return server }
    let server = PeerServer(context: context, peer: peer, desk: self)
    servers[peer.id] = server
    return server
  }
}
