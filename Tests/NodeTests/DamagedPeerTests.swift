import Session
@testable import Store
import Testing

@testable import Node

/// A peer of which something that is stored does not open.
@Suite(.timeLimit(.minutes(5))) struct DamagedPeerTests {
  private func pair(_ house: House) async throws -> (studio: RunningNode, laptop: RunningNode) {
    let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
    try await house.pair(studio, laptop)
    for name in ["a.bin", "b.bin"] { try house.file("art/\(name)", pattern(150_000)) }
    _ = try await laptop.share("\(house.path)/art", toAll: true)
    return (studio, laptop)
  }

  @Test(arguments: ["session SET state", "pair SET bytes", "peer_state SET bytes"])
  func onePeersDamagedStateIsSaidAndHealedByPairingAgainAndTheOthersWorkOn(_ column: String) async throws {
    try await withHouse { house in
      let (studio, laptop) = try await pair(house)
      let desk = try await house.start("desk")
      try await house.pair(studio, desk)
      try await eventually("pairs are stored", on: house.loop) {
        try await studio.node.context.database.loadPeer(laptop.node.id)?.pairs.isEmpty == false
      }
      await studio.stop()
      let database = try Database(folder: studio.folder, keys: try studio.folder.unlock())
      try await database.damage(column, of: laptop.node.id)
      await database.close()
      studio.folder.release()
      let again = try await house.start("studio", port: studio.port)
      let report = try await again.node.report()
      #expect(report.peers.map(\.alias) == ["desk", "laptop"] && report.peers.map { $0.health == "damaged" } == [false, true])
      let warning = try #require(report.warnings.first { $0.hasPrefix("laptop: ") })
      #expect(warning.contains("damaged") && warning.contains("pawl invite") && warning.contains("backup"))
      let refused = try await nodeError { _ = try await again.pull("laptop/art", into: "\(house.path)/in") }
      #expect(refused.message.contains("damaged") && refused.hint?.contains("pair again") == true)
      try await again.ready(for: "desk")
      // The user pairs again, and that lasts.
      let invitation = try await again.node.invite(alias: nil, lifeSeconds: 60, addresses: [])
      _ = try await laptop.node.join(invitation.text, alias: "studio")
      try await again.ready(for: "laptop")
      try await laptop.ready(for: "studio")
      #expect(try await again.node.report().warnings.isEmpty)
      _ = try await again.pull("laptop/art", into: "\(house.path)/in")
      await again.stop()
      let third = try await house.start("studio", port: studio.port)
      try await third.ready(for: "laptop")
      #expect(try await third.node.summary(of: "laptop").health == "healthy")
    }
  }

  @Test func aDamagedPeerCanBeRevoked() async throws {
    try await withHouse { house in
      let (studio, laptop) = try await pair(house)
      await studio.stop()
      let database = try Database(folder: studio.folder, keys: try studio.folder.unlock())
      try await database.damage("session SET state", of: laptop.node.id)
      await database.close()
      studio.folder.release()
      let again = try await house.start("studio", port: studio.port)
      #expect(try await again.node.revoke("laptop").peer.health == "damaged")
      #expect(try await again.node.report().peers.isEmpty)
      #expect(try await again.node.context.database.peers().isEmpty)
    }
  }
}

extension Database {
  /// Puts bytes that mean nothing into a column of one peer's rows.
  fileprivate func damage(_ column: String, of peer: NodeID) throws {
    try run("UPDATE \(column) = zeroblob(200) WHERE peer = x'\(peer.hex)'")
  }
}
