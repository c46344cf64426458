internal import EventLoop
internal import Session
internal import Store

extension Peer {
  /// Durable rewrites of what a peer says of itself that may follow at once.
  static let maximumCardWrites: UInt64 = 4
  /// One more is made after so long. In memory the last word counts all the same.
  static let cardWriteSeconds: UInt64 = 60

  /// What may be dialed to reach this peer, as things are now.
  func dialRules() -> DialRules {
    DialRules(
      origins: origins, own: OwnListeners(listening: inbox.listening, interfaces: context.network.interfaces()))
  }

  /// Takes note of what the peer calls itself, once ``adopt(_:toldOver:)`` has taken its addresses in.
  func note(name: String) { unsavedName = name }

  /// Stores what is not stored yet, as often as that may be. What is stored already costs nothing; what comes too often is stored with a
  /// later tick.
  func saveCardIfDue() async {
    guard !isStopped, let name = unsavedName else { return }
    let texts = origins.texts(of: addresses)
    if name == row.name, texts == row.addresses {
      unsavedName = nil
      return
    }
    guard cardWrites.spend(at: context.now) else { return }
    // What could not be stored is stored with a later tick: the peer does not say it again.
    guard (try? await context.database.setCard(id, name: name, addresses: texts)) != nil else { return }
    if unsavedName == name { unsavedName = nil }
    if let row = try? await context.database.peer(id) { adopt(row: row) }
  }
}
