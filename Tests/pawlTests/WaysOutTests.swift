import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Verbs that lead out of dead ends, as a user types them.
  @Suite(.timeLimit(.minutes(3))) struct WaysOutTests {
    private static let sizeBytes = 24 << 20
    private static let heldBytes = 12 << 20

    /// A pull from studio to laptop that is held up half way.
    private func withHalfAPull(
      _ body: @Sendable (Household, _ pull: Child, _ transfer: JSON) async throws -> Void
    ) async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let gate = try await Gate(before: studio.address, letting: Self.heldBytes, on: house.loop)
        house.atTheEnd { await gate.close() }
        try await house.pair(studio, laptop, address: gate.address)
        try house.write("art/big.bin", pattern(Self.sizeBytes))
        try await studio.ask("share", "\(house.path)/art", "--to", "laptop")
        let pull = try await laptop.begin("pull", "studio/art", "-o", "\(house.path)/models", "--json")
        try await house.eventually("it moves") {
          try await laptop.ask("transfers")["transfers"].elements.contains { $0["bytes"].number > 0 }
        }
        try await body(house, pull, try await laptop.ask("transfers")["transfers"][0])
      }
    }

    @Test func controlCSaysWhatIsKeptHowToGoOnAndHowToDropIt() async throws {
      try await withHalfAPull { house, pull, transfer in
        let laptop = house.node("laptop")
        #expect(transfer["direction"] == "in" && transfer["artifact"] == "art" && transfer["peer"] == "studio")
        #expect(transfer["bytes_total"] == .number(Double(Self.sizeBytes)))
        pull.signal(SIGINT)
        #expect(try await pull.ended() == .exit(130))
        let error = try JSON(line: try #require(pull.lines.last))
        #expect(error["code"] == "interrupted")
        #expect(error["kept"]["id"] == transfer["id"])
        let partial = error["kept"]["partial"].text
        #expect(FileManager.default.fileExists(atPath: partial))
        #expect(error["message"].text.contains(partial))
        let id = String(transfer["id"].text.prefix(8))
        #expect(error["hint"].text.contains("the same command goes on"))
        #expect(error["hint"].text.contains("pawl cancel \(id)"))
        let shown = try await laptop.run("transfers")
        #expect(shown.out.contains(id) && shown.out.contains("waiting") && shown.out.contains(partial), "\(shown.out)")
        #expect(shown.error.contains("pawl cancel \(id)"))
        let canceled = try await laptop.run("cancel", id)
        #expect(canceled.exit == 0)
        #expect(canceled.out == "the pull of art@v1 from studio is canceled\n")
        #expect(house.tree("models") == [])
        #expect(try await laptop.ask("transfers")["transfers"] == .array([]))
        try await laptop.ask("cancel", id, exit: 11)
      }
    }

    @Test func aCancelFromAnotherTerminalEndsThePullWithAClearMessage() async throws {
      try await withHalfAPull { house, pull, transfer in
        let laptop = house.node("laptop")
        let result = try await laptop.ask("cancel", transfer["id"].text)
        #expect(result["transfer"]["id"] == transfer["id"])
        #expect(house.tree("models") == [])
        #expect(try await pull.ended() == .exit(130))
        let error = try JSON(line: try #require(pull.lines.last))
        #expect(error["message"].text.contains("the pull of art was canceled"))
        #expect(error["kept"] == .null)
      }
    }

    @Test func addressesTicketsAndDownloadsAreListedAndDropped() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let added = try await laptop.run("peer", "address", "studio", "add", "198.51.100.7:7411")
        #expect(added.exit == 0 && added.out.contains("198.51.100.7:7411  you"), "\(added.out)\(added.error)")
        let origins = try await laptop.ask("peer", "address", "studio")["addresses"].elements.map { $0["origin"] }
        #expect(origins.contains("added"))
        try await laptop.ask("peer", "address", "studio", "remove", "198.51.100.7:7411")
        try await laptop.ask("peer", "address", "studio", "remove", "198.51.100.7:7411", exit: 11)
        try await laptop.ask("peer", "address", "studio", "add", "nowhere", exit: 2)

        let invite = try await studio.begin("invite", "office", "--json")
        let ticket = try JSON(line: try await invite.line(containing: "pawl1"))
        let listed = try await studio.ask("tickets")["tickets"]
        #expect(listed.elements.contains { $0["id"] == ticket["id"] && $0["alias"] == "office" && $0["used"] == .bool(false) })
        try await studio.ask("tickets", "revoke", String(ticket["id"].text.prefix(10)))
        #expect(try await invite.ended() == .exit(130))
        #expect(try JSON(line: try #require(invite.lines.last))["message"].text.contains("revoked"))
        let refused = try await laptop.ask("join", ticket["ticket"].text, exit: 12)
        #expect(refused["hint"].text.contains("ask for a new one"))

        try house.write("notes.txt", "a")
        try await studio.ask("share", "\(house.path)/notes.txt", "--to", "laptop")
        try await laptop.ask("pull", "studio/notes.txt", "-o", "\(house.path)/models")
        unlink("\(house.path)/models/notes.txt")
        try await laptop.ask("check", exit: 13)
        let forgotten = try await laptop.run("forget", "studio/notes.txt")
        #expect(forgotten.out == "studio/notes.txt@v1 in \(house.path)/models/notes.txt is forgotten\n")
        try await laptop.ask("check")
      }
    }
  }
}
