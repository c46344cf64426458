internal import API
internal import Node

extension NodeAdapter {
  func transfers() async throws -> TransfersResult {
    try await translating { TransfersResult(transfers: try await node.transfers().map(Transfer.init)) }
  }

  func cancel(_ request: CancelRequest) async throws -> CancelResult {
    try await translating { CancelResult(transfer: Transfer(try await node.cancel(transfer: request.id))) }
  }

  func forget(_ request: ForgetRequest) async throws -> ForgetResult {
    try await translating {
      ForgetResult(
        forgotten: try await node.forget(request.artifact, at: request.path).map { download in
          ForgetResult.Download(
            artifact: download.name, version: UInt32(clamping: download.version), publisher: download.publisher,
            path: download.path)
        })
    }
  }

  func peerAddress(_ request: PeerAddressRequest) async throws -> PeerAddressesResult {
    try await translating {
      let peer: PeerAddressList
      switch (request.add, request.remove) {
      case (nil, nil): peer = try await node.addresses(of: request.peer)
      case (let address?, nil): peer = try await node.add(address: address, to: request.peer)
      case (nil, let address?): peer = try await node.remove(address: address, from: request.peer)
      case (.some, .some):
        throw Failure(.usage, "one change at a time", hint: "add the one address, then remove the other")
      }
      return PeerAddressesResult(
        peer: peer.alias, online: peer.isOnline,
        addresses: peer.addresses.map { address in
          let origin: PeerAddressesResult.Address.Origin =
            switch address.origin {
            case .added: .added
            case .ticket: .ticket
            case .peer: .peer
            case .other: .other
            }
          return PeerAddressesResult.Address(address: address.text, origin: origin, reached: address.isReached)
        })
    }
  }

  func tickets(_ request: TicketsRequest) async throws -> TicketsResult {
    try await translating {
      let revoked = try await request.revoke.asyncMap { try await node.revokeTicket($0) }
      return TicketsResult(
        tickets: try await node.tickets().map { ticket in
          TicketsResult.Ticket(
            id: ticket.id, alias: ticket.alias, expires: ticket.expires, used: ticket.usedBy != nil, usedBy: ticket.usedBy,
            spoiled: ticket.isSpoilt)
        }, revoked: revoked)
    }
  }

  /// The error of a pull with what is kept of it: where that is, how to go on, and how to drop it.
  func explained(_ error: any Error, of pull: PullCommand) async -> any Error {
    let error = Failure.translating(error)
    guard let left = await node.leftover(of: pull) else { return error }
    let kept = KeptTransfer(id: left.id, partial: left.partial)
    let drop = "to drop it: pawl cancel \(left.id.prefix(8))"
    guard var failure = error as? Failure else {
      return Failure(
        .interrupted, "interrupted; what has arrived of \(left.reference) is kept in \(left.partial)",
        hint: "the same command goes on where it stopped; \(drop)", kept: kept)
    }
    failure.kept = kept
    failure.hint = [failure.hint, "what has arrived is kept in \(left.partial); \(drop)"].compactMap(\.self).joined(
      separator: "; ")
    return failure
  }
}

extension Transfer {
  init(_ transfer: TransferEntry) {
    self.init(
      id: transfer.id, direction: transfer.isPull ? .incoming : .outgoing, artifact: transfer.name,
      version: transfer.version.map { UInt32(clamping: $0) }, peer: transfer.peer,
      state: State(rawValue: transfer.state.rawValue), bytes: transfer.bytes, bytesTotal: transfer.bytesTotal,
      bytesPerSecond: transfer.bytesPerSecond, sources: transfer.sources, reason: transfer.reason,
      partial: transfer.partial)
  }
}

extension Optional {
  fileprivate func asyncMap<Value>(_ body: (Wrapped) async throws -> Value) async rethrows -> Value? {
    guard let self else { return nil }
    return try await body(self)
  }
}
