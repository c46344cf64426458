internal import API
internal import Node

extension NodeAdapter {
  func verify(_ request: VerifyRequest) async throws -> VerifyResult {
    try await translating {
      var peer =
        switch request.decision {
        case nil: try await node.summary(of: request.peer)
        case .acceptNew: try await node.acceptNewIdentity(of: request.peer)
        case .keepOld: try await node.keepOldIdentity(of: request.peer)
        }
      // By its alias: what the user wrote may have been the beginning of an id that is gone.
      if request.confirm { peer = try await node.confirm(peer.alias) }
      let change = try await node.identityChange(of: peer.alias)
      return VerifyResult(
        peer: API.Peer(peer), safetyNumber: await peer.safetyNumber(), new: change.map(VerifyResult.NewIdentity.init),
        decided: request.decision)
    }
  }
}

extension VerifyResult.NewIdentity {
  init(_ change: IdentityChange) {
    self.init(
      node: change.id, fingerprint: Fingerprint.text(nodeID: change.id), name: change.name, addresses: change.addresses,
      safetyNumber: change.safetyNumber, came: change.came, reason: change.reason)
  }
}
