import Foundation
import Testing

extension EndToEnd {
  /// State folders that are copied, put back or run twice: noticed, said, and healed by themselves.
  @Suite(.timeLimit(.minutes(5))) struct RollbackTests {
    /// The troubles that a node tells of with a peer.
    private func troubles(_ node: HouseholdNode) async throws -> [JSON] {
      let status = try await node.ask("status")["peers"][0]["troubles"].elements
      #expect(try await node.ask("peers")["peers"][0]["troubles"].elements.count >= status.count)
      return status
    }

    private func eventuallyHealed(_ house: Household, _ node: HouseholdNode, _ kind: String) async throws {
      try await house.eventually("\(node.name) tells of \(kind), healed") {
        try await troubles(node).contains { $0["kind"].text == kind && $0["at"].number > 0 && $0["healed_at"].number > 0 }
      }
    }

    private func pulls(_ house: Household, _ node: HouseholdNode, _ name: String, seed: Int) async throws {
      try await node.ask("pull", "studio/\(name)", "-o", "\(house.path)/models")
      #expect(house.read("models/\(name)") == pattern(50_000, seed: seed))
    }

    private func share(_ house: Household, _ node: HouseholdNode, count: Int) async throws {
      for number in 0..<count {
        try await node.ask("share", try house.write("f\(number).bin", pattern(50_000, seed: number)), "--to", "laptop")
      }
    }

    private func copy(_ from: String, _ to: String) throws {
      try? FileManager.default.removeItem(atPath: to)
      try FileManager.default.copyItem(atPath: from, toPath: to)
    }

    @Test func aStateFolderThatWasPutBackIsNoticedSaidAndHealed() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        try await share(house, studio, count: 3)
        try await pulls(house, laptop, "f0.bin", seed: 0)
        #expect(try await laptop.stop() == .exit(0))
        try copy(laptop.home, "\(house.path)/yesterday")
        try await laptop.start()
        try await pulls(house, laptop, "f1.bin", seed: 1)
        #expect(try await laptop.stop() == .exit(0))
        try copy("\(house.path)/yesterday", laptop.home)
        try await laptop.start()
        // Nobody does anything: the first exchange of counters shows it.
        try await eventuallyHealed(house, laptop, "rollback")
        try await eventuallyHealed(house, studio, "peer_rollback")
        for verb in ["status", "peers"] {
          let here = try await laptop.run(verb)
          #expect(here.out.contains("warning: studio: our state was older than studio's at "), "\(here.out)")
          #expect(here.out.contains("a fresh session was made at "), "\(here.out)")
          let there = try await studio.run(verb)
          #expect(there.out.contains("warning: laptop: laptop's state was older than ours at "), "\(there.out)")
        }
        #expect(
          try String(contentsOfFile: laptop.log, encoding: .utf8).contains(
            "this node's state is older than what the peer has seen"))
        #expect(
          try String(contentsOfFile: studio.log, encoding: .utf8).contains("the peer's state is older than what was seen of it")
        )
        try await pulls(house, laptop, "f2.bin", seed: 2)
        #expect(try await laptop.ask("status")["peers"][0]["session"] == "healthy")
        // It is remembered over a restart.
        #expect(try await laptop.stop() == .exit(0))
        try await laptop.start()
        try await eventuallyHealed(house, laptop, "rollback")
      }
    }

    /// Who revokes a peer and pairs with it again wanted it so: nobody is asked about a copied folder.
    @Test func revokingAndPairingAgainIsNoTrouble() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        for round in 0..<4 {
          try await share(house, studio, count: 1)
          try await pulls(house, laptop, "f0.bin", seed: 0)
          try FileManager.default.removeItem(atPath: "\(house.path)/models/f0.bin")
          // Either of them forgets the other, and either of them invites.
          let (revoker, other) = round & 1 == 0 ? (studio, laptop) : (laptop, studio)
          let (inviter, joiner) = round & 2 == 0 ? (studio, laptop) : (laptop, studio)
          try await revoker.ask("revoke", other.name)
          let ticket = try await inviter.ticket()
          try await joiner.ask("join", ticket)
          try await laptop.ask("ls", "studio")
          try await studio.ask("ls", "laptop")
          for node in [studio, laptop] {
            for verb in ["status", "peers"] {
              let outcome = try await node.run(verb)
              #expect(!outcome.out.contains("warning"), "round \(round), \(node.name): \(outcome.out)")
            }
            #expect(try await troubles(node).isEmpty)
          }
        }
      }
    }

    @Test func twoClonesThatRunInTurnsAreNoticedAndBothGoOn() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        try await share(house, studio, count: 4)
        try await pulls(house, laptop, "f0.bin", seed: 0)
        #expect(try await laptop.stop() == .exit(0))
        let (first, second) = ("\(house.path)/first", "\(house.path)/second")
        try copy(laptop.home, second)
        // The first goes on.
        try await laptop.start()
        try await pulls(house, laptop, "f1.bin", seed: 1)
        #expect(try await laptop.stop() == .exit(0))
        // The second wakes up with what the first had then.
        try copy(laptop.home, first)
        try copy(second, laptop.home)
        try await laptop.start()
        try await eventuallyHealed(house, laptop, "rollback")
        try await pulls(house, laptop, "f2.bin", seed: 2)
        #expect(try await laptop.stop() == .exit(0))
        // And the first again, whose session the other side has given up meanwhile.
        try copy(first, laptop.home)
        try await laptop.start()
        try await house.eventually(within: .seconds(100), "a pull works again by itself") {
          try await laptop.run("pull", "studio/f3.bin", "-o", "\(house.path)/models").exit == 0
        }
        #expect(house.read("models/f3.bin") == pattern(50_000, seed: 3))
        #expect(try await !troubles(laptop).isEmpty)
        try await house.eventually(within: .seconds(100), "all is healed") {
          try await troubles(laptop).allSatisfy { $0["healed_at"].number > 0 }
        }
        let told = try await troubles(studio)
        #expect(told.contains { $0["kind"] == "peer_rollback" })
      }
    }
  }
}
