import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Pulls whose nodes die in the middle.
  @Suite(.timeLimit(.minutes(3))) struct ResumeTests {
    private static let sizeBytes = 48 << 20
    /// Where the stream stops before the kill: beyond twice what is fetched between two records of what is there.
    private static let heldBytes = 44 << 20
    private static let recordedBytes = Double(32 << 20)

    /// A big file half way from studio to laptop, through a gate that holds the rest back.
    private func withHalfAFile(
      _ body: @Sendable (Household, _ gate: Gate, _ pull: Child) async throws -> Void
    ) async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let gate = try await Gate(before: studio.address, letting: Self.heldBytes, on: house.loop)
        house.atTheEnd { await gate.close() }
        try await house.pair(studio, laptop, address: gate.address)
        try house.write("art/big.bin", pattern(Self.sizeBytes))
        try house.write("art/small.bin", pattern(1_000))
        try await studio.ask("share", "\(house.path)/art", "--to", "laptop")
        let pull = try await laptop.begin("pull", "studio/art", "-o", "\(house.path)/models", "--json")
        try await house.eventually("most of it is there") {
          let status = try await laptop.ask("status")
          return status["transfers"].elements.contains {
            $0["direction"] == "in" && $0["state"] == "running" && $0["bytes"].number >= Self.recordedBytes
          }
        }
        #expect(house.tree("models").allSatisfy { $0.hasPrefix(".pawl-partial-") }, "nothing has a final name yet")
        try await body(house, gate, pull)
      }
    }

    private func expectWhole(_ house: Household, _ result: JSON) {
      #expect(result["bytes"].number == Double(Self.sizeBytes + 1_000))
      #expect(result["read_back"] == "verified")
      #expect(house.read("models/art/big.bin") == pattern(Self.sizeBytes))
      #expect(house.tree("models") == ["art", "art/big.bin", "art/small.bin"])
    }

    @Test func afterTheReceiverIsKilledOnlyWhatIsMissingTravels() async throws {
      try await withHalfAFile { house, gate, pull in
        let laptop = house.node("laptop")
        try await laptop.destroy()
        #expect(try await pull.ended() == .exit(10))
        let last = try #require(pull.lines.last)
        #expect(try JSON(line: last)["code"] == "no_node")
        await gate.open()
        try await laptop.start()
        let waiting = try await laptop.ask("status")["transfers"]
        #expect(waiting.elements.count == 1)
        #expect(waiting[0]["state"] == "waiting")
        #expect(waiting[0]["bytes"].number >= Double(16 << 20))
        #expect(waiting[0]["bytes_total"].number == Double(Self.sizeBytes + 1_000))
        let again = try await laptop.begin("pull", "studio/art", "-o", "\(house.path)/models", "--json")
        #expect(try await again.ended() == .exit(0))
        let lines = try again.lines.map { try JSON(line: $0) }
        let result = try #require(lines.last)
        #expect(result["bytes_transferred"].number <= Double(Self.sizeBytes - 16 << 20))
        #expect(result["bytes_transferred"].number > 0)
        #expect(lines.contains { $0["bytes_resumed"].number >= Double(16 << 20) })
        expectWhole(house, result)
        #expect(try await laptop.ask("status")["transfers"] == .array([]))
      }
    }

    @Test func afterTheServerIsKilledTheSamePullGoesOn() async throws {
      try await withHalfAFile { house, gate, pull in
        let studio = house.node("studio")
        try await studio.destroy()
        await gate.open()
        try await studio.start()
        #expect(try await pull.ended() == .exit(0), "\(pull.lines.last ?? "")")
        let result = try JSON(line: try #require(pull.lines.last))
        #expect(result["bytes_transferred"].number <= Double(Self.sizeBytes + 1_000), "nothing verified travels twice")
        expectWhole(house, result)
      }
    }

    @Test func afterBothAreKilledTheNextPullResumes() async throws {
      try await withHalfAFile { house, gate, pull in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await studio.destroy()
        try await laptop.destroy()
        try await pull.ended()
        await gate.open()
        try await laptop.start()
        try await studio.start()
        let result = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models")
        #expect(result["bytes_transferred"].number <= Double(Self.sizeBytes - 16 << 20))
        expectWhole(house, result)
      }
    }

    @Test func aPullThatIsInterruptedStaysResumable() async throws {
      try await withHalfAFile { house, gate, pull in
        let laptop = house.node("laptop")
        // The same pull twice at once is one: it goes on for the second when the first is interrupted.
        let second = try await laptop.begin("pull", "studio/art", "-o", "\(house.path)/models", "--json")
        try await house.eventually("it sees how far the first is") {
          try second.lines.contains { try JSON(line: $0)["phase"] == "fetching" }
        }
        pull.signal(SIGINT)
        #expect(try await pull.ended() == .exit(130))
        #expect(try await laptop.ask("status")["transfers"].elements.map { $0["state"] } == ["running"])
        second.signal(SIGINT)
        #expect(try await second.ended() == .exit(130))
        await gate.open()
        try await house.eventually("the pull has ended") {
          try await laptop.ask("status")["transfers"].elements.allSatisfy { $0["state"] != "running" }
        }
        let result = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models")
        #expect(result["bytes_transferred"].number <= Double(Self.sizeBytes - Int(Self.recordedBytes) + 1_000))
        expectWhole(house, result)
      }
    }

    @Test func revokingThePeerEndsItsPullAtOnce() async throws {
      try await withHalfAFile { house, _, pull in
        try await house.node("laptop").ask("revoke", "studio")
        #expect(try await pull.ended(within: .seconds(10)) == .exit(12))
        #expect(house.tree("models").isEmpty, "what was half fetched is of no use any more")
      }
    }
  }
}
