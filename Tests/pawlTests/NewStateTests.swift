import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// A state folder that lost its database.
  @Suite(.timeLimit(.minutes(3))) struct NewStateTests {
    @Test(arguments: ["missing", "empty", "damaged"])
    func aLostDatabaseIsSaidAndBegunAnewOnlyWhenAsked(_ how: String) async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let id = try await studio.ask("id")["node"]
        #expect(try await studio.stop() == .exit(0))
        let path = "\(studio.home)/state/pawl.db"
        switch how {
        case "missing": unlink(path)
        case "empty": truncate(path, 0)
        default: try Data(pattern(60_000)).write(to: URL(fileURLWithPath: path))
        }
        let before = house.read(path)
        for _ in 0..<2 {
          let refused = try await Command.run("up", "--listen", "127.0.0.1:0", home: studio.home)
          #expect(refused.exit == 1 && refused.out.isEmpty)
          #expect(refused.error.contains("the state database is \(how)"), "\(refused.error)")
          #expect(refused.error.contains("backup") && refused.error.contains("pawl up --new-state"), "\(refused.error)")
          #expect(house.read(path) == before, "nothing is made")
        }
        try await studio.start(with: "--new-state")
        #expect(try await studio.ask("id")["node"] == id)
        let status = try await studio.ask("status")
        #expect(status["peers"].elements.isEmpty)
        let warning = try #require(status["warnings"].elements.map(\.text).first { $0.contains("begun anew") })
        #expect(warning.contains("pair again"))
        let aside = try FileManager.default.contentsOfDirectory(atPath: "\(studio.home)/state").filter {
          $0.hasPrefix("pawl.db.broken-")
        }
        #expect(aside.count == (how == "missing" ? 0 : 1))
        if let name = aside.first {
          #expect(house.read("\(studio.home)/state/\(name)") == before)
          #expect(warning.contains(name))
        }
        // The two pair again, and a start that is asked to do it once more does not.
        try await house.pair(studio, laptop)
        #expect(try await studio.stop() == .exit(0))
        let again = try await Command.run("up", "--new-state", "--listen", "127.0.0.1:0", home: studio.home)
        #expect(again.exit == 1 && again.error.contains("not damaged"), "\(again.error)")
        try await studio.start()
        #expect(try await studio.ask("peers")["peers"].elements.count == 1)
      }
    }

    @Test func aFirstStartMayBeAskedToBeginAnew() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        try await studio.start(with: "--new-state")
        #expect(try await studio.ask("status")["warnings"] == .array([]))
      }
    }
  }
}
