internal import Artifact
internal import EventLoop
internal import Session
internal import Store
internal import Transfer
internal import Wire

extension Node {
  /// How far a pull that does not run had come when that was last recorded: bytes that are there, and bytes in all.
  func waiting(_ row: TransferRow) async throws -> (bytes: UInt64, total: UInt64) {
    let maps = try await context.database.resumeMaps(row.id)
    return try await context.threads.files.run {
      guard let plan = try? PlacementPlan(decoding: row.plan) else { return (0, 0) }
      var there: UInt64 = 0
      var total: UInt64 = 0
      for file in plan.files where file.isFetched {
        let chunks = (maps[file.index] ?? []).reduce(0) { $0 + $1.nonzeroBitCount }
        there += min(file.sizeBytes, UInt64(chunks) * UInt64(plan.chunkBytes))
        total += file.sizeBytes
      }
      return (there, total)
    }
  }

  /// What the node does at this moment.
  public func report() async throws -> NodeReport {
    var transfers: [TransferReport] = []
    for puller in pulls.values where puller.order.destination != nil {
      let state = await puller.latest
      transfers.append(
        TransferReport(
          id: puller.transfer.hex, peer: puller.order.alias, name: puller.entry.name.text,
          version: UInt64(puller.entry.version), isPull: true, isRunning: true, bytes: state.bytes,
          bytesTotal: state.bytesTotal, bytesPerSecond: state.bytesPerSecond))
    }
    for server in servers.values {
      for serving in await server.report() {
        transfers.append(
          TransferReport(
            id: serving.connection, peer: await alias(of: server.peer.id), name: serving.name, version: serving.version,
            isPull: false, isRunning: true, bytes: serving.bytes, bytesTotal: 0,
            bytesPerSecond: serving.bytesPerSecond))
      }
    }
    for row in try await context.database.transfers() where !pulls.keys.contains(where: { $0.bytes == row.id }) {
      let parts = row.reference.split(separator: "@v")
      let (bytes, total) = try await waiting(row)
      transfers.append(
        TransferReport(
          id: Hex.encode(row.id), peer: await alias(of: row.peer), name: parts.first.map(String.init) ?? row.reference,
          version: parts.count > 1 ? UInt64(parts[1]) : nil, isPull: true, isRunning: false, bytes: bytes, bytesTotal: total,
          bytesPerSecond: 0))
    }
    var warnings: [String] = []
    for peer in peers.values { warnings += await peer.warnings() }
    warnings += try await stateWarnings()
    return NodeReport(
      id: id.hex, name: ownName, listening: listening.description,
      addresses: advertisedAddresses().map(\.description), started: started, peers: await peerSummaries(),
      transfers: transfers, sharedCount: try await context.database.offeredCount(),
      ticketCount: try await context.database.tickets(now: context.now).filter { $0.state == .open }.count,
      warnings: warnings)
  }
}
