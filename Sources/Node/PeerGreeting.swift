internal import EventLoop
internal import Session

/// Whether a peer knows where this node can be reached now.
struct Greeting: Sendable {
  /// The nearest scope over which it was told; nil: it was not.
  private var nearest: AddressScope?
  /// Whether the peer still needs our current `hello`: a session that has begun does not say it by itself.
  private(set) var isOwed = false

  /// This node says something else of itself now.
  mutating func markStale() {
    nearest = nil
    isOwed = true
  }

  /// Whether it is to be told over a link of this scope; if so, it counts as told.
  mutating func take(over scope: AddressScope) -> Bool {
    guard nearest.map({ scope < $0 }) ?? true else { return false }
    nearest = scope
    isOwed = false
    return true
  }
}

extension Peer {
  /// Says `hello` in a confirmed session, where that is due. A session outlives the process, and an address may not: without this,
  /// two nodes that move one after the other would lose each other. A session that is only beginning says it by itself. It is
  /// said again over a nearer link, since more of it counts there.
  func greet() {
    guard let link, machine.isConfirmed, greeting.take(over: scope(of: link)) else { return }
    // Where it finds no room it is still owed.
    send(machine.hello) { _ in startTask { await self.greetingFailed() } }
  }

  private func greetingFailed() { greeting.markStale() }

  /// How far away the other end of a link is.
  func scope(of link: Link) -> AddressScope {
    link.connection.ends.map { context.network.scope(ofLinkTo: $0.remote) } ?? .publicNetwork
  }
}
