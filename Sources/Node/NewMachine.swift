internal import Session
internal import Store

extension Node {
  /// The machine of a node that is being paired: what we know of it, or a new one that takes no start of a pairing that was revoked.
  func machine(for record: IdentityRecord, existing: Peer? = nil) async throws -> PeerMachine {
    if let existing { return await existing.machine }
    if damagedPeers[record.id] != nil { try await context.database.forgetSessions(of: record.id) }
    let spent = try await context.database.spentInitiations()
    var machine = PeerMachine(
      identity: context.identity, peer: record, prekeys: prekeys, hello: hello(), crypto: context.crypto)
    machine.spent = spent
    return machine
  }
}
