import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// A machine is set up anew under its old name and address, and its teammate is asked which one counts.
  @Suite(.timeLimit(.minutes(5))) struct IdentityTests {
    /// Pairs, shares, verifies; then laptop's state is gone, and it joins again. Returns laptop's first node id.
    private func setUpAnew(_ house: Household) async throws -> String {
      let (studio, laptop) = (house.node("studio"), house.node("laptop"))
      try await house.pair(studio, laptop)
      try await studio.ask("share", try house.write("a.bin", "weights"), "--to", "laptop")
      try await studio.ask("verify", "laptop", "--confirm")
      let old = try await laptop.ask("id")["node"].text
      #expect(try await laptop.stop() == .exit(0))
      try FileManager.default.moveItem(atPath: laptop.home, toPath: laptop.home + ".old")
      try await laptop.start()

      let invite = try await studio.begin("invite", "--json")
      let ticket = try JSON(line: try await invite.line(containing: "ticket"))["ticket"].text
      let joined = try await laptop.ask("join", ticket)
      #expect(joined["waits"] == true)
      #expect(try await invite.ended() == .exit(12))
      #expect(try JSON(line: try #require(invite.lines.last))["code"] == "identity_changed")
      return old
    }

    @Test func bothIdentitiesAreShownAndTheNewOneIsAccepted() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let old = try await setUpAnew(house)
        let new = try await laptop.ask("id")["node"].text
        let seen = try await studio.ask("verify", "laptop")
        #expect(seen["peer"]["node"].text == old && seen["peer"]["identity"] == "changed" && seen["peer"]["blocked"] == true)
        #expect(seen["peer"]["verified"] == true && seen["new"]["node"].text == new)
        #expect(seen["new"]["reason"] == "name_and_place")
        #expect(seen["safety_number"] != seen["new"]["safety_number"])
        #expect(seen["new"]["safety_number"] == (try await laptop.ask("verify", "studio"))["safety_number"])

        // For people: both ids, both numbers, and what to do.
        let shown = try await studio.run("verify", "laptop")
        #expect(shown.exit == 0 && shown.out.contains(old) && shown.out.contains(new))
        #expect(shown.out.components(separatedBy: "safety number").count == 3)
        for words in ["--accept-new", "--keep-old"] { #expect(shown.error.contains("pawl verify laptop \(words)")) }
        let line = "laptop: identity key changed - blocked until you decide: pawl verify laptop"
        for verb in ["peers", "status"] {
          let outcome = try await studio.run(verb)
          #expect(outcome.out.contains(line) && outcome.out.contains("BLOCKED"), "\(outcome.out)")
        }
        #expect(try await studio.ask("status")["peers"][0]["identity"] == "changed")
        for arguments in [["ls", "laptop"], ["pull", "laptop/x"], ["share", "\(house.path)/a.bin", "--to", "laptop"]] {
          let outcome = try await Command.run(arguments, home: studio.home, workingDirectory: house.path)
          #expect(outcome.exit == 12 && outcome.error.contains("pawl verify laptop"), "\(outcome.error)")
        }
        let which = try await studio.run("verify", "laptop", "--confirm")
        #expect(which.exit == 12 && which.error.contains("which number"))
        #expect(try await studio.run("verify", "laptop", "--accept-new", "--keep-old").exit == 2)
        // It is met with silence, whose reason it cannot know.
        try await laptop.ask("pull", "studio/a.bin", "-o", house.path + "/in", exit: 14)

        // The question outlives a restart.
        #expect(try await studio.stop() == .exit(0))
        try await studio.start()
        #expect(try await studio.ask("verify", "laptop")["new"]["node"].text == new)
        let log = try String(contentsOfFile: studio.log, encoding: .utf8)
        #expect(log.contains("warning identity key changed"))

        let accepted = try await studio.ask("verify", "laptop", "--accept-new", "--confirm")
        #expect(accepted["decided"] == "accept-new" && accepted["new"] == .null)
        #expect(accepted["peer"]["node"].text == new && accepted["peer"]["verified"] == true)
        #expect(accepted["peer"]["identity"] == "pinned" && accepted["peer"]["blocked"] == false)
        // No further step on either side.
        try await house.eventually("laptop is let in") {
          try await laptop.run("pull", "studio/a.bin", "-o", house.path + "/in").exit == 0
        }
        #expect(house.read("in/a.bin") == Array("weights".utf8))
        #expect(try await studio.ask("ls", "laptop")["artifacts"] == .array([]))
        try await studio.ask("verify", "laptop", "--accept-new", exit: 11)
      }
    }

    @Test func theOldIdentityIsKeptAndGoesOn() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let old = try await setUpAnew(house)
        let kept = try await studio.run("verify", "laptop", "--keep-old")
        #expect(kept.exit == 0 && kept.out.hasPrefix("laptop is verified") && kept.out.contains(old), "\(kept.error)")
        #expect(try await studio.run("peers").out.contains("identity key changed") == false)
        try await laptop.ask("ls", "studio", exit: 14)
        // The machine comes back as it was.
        _ = try await laptop.stop()
        try FileManager.default.removeItem(atPath: laptop.home)
        try FileManager.default.moveItem(atPath: laptop.home + ".old", toPath: laptop.home)
        try await laptop.start()
        try await laptop.ask("pull", "studio/a.bin", "-o", house.path + "/in")
        try await house.eventually("studio sees it") { try await studio.ask("peers")["peers"][0]["online"] == true }
        #expect(try await studio.ask("verify", "laptop")["peer"]["node"].text == old)
      }
    }

    @Test func aTakenAliasLeadsToTheRightCommand() async throws {
      try await Household.with("studio", "laptop", "desktop") { house in
        let (studio, desktop) = (house.node("studio"), house.node("desktop"))
        try await house.pair(studio, house.node("laptop"))
        let taken = try await studio.run("invite", "laptop", "--no-wait")
        #expect(taken.exit == 16 && taken.error.contains("pawl invite laptop --new-machine"))
        let ticket = try await studio.ask("invite", "laptop", "--new-machine", "--no-wait")["ticket"].text
        #expect(try await desktop.run("join", ticket).error.contains("has to decide first"))
        #expect(try await studio.ask("verify", "laptop")["new"]["reason"] == "announced")
        #expect(try await studio.run("invite", "--new-machine").exit == 2)
        #expect(try await desktop.run("join", ticket, "--new-machine").exit == 2)
      }
    }
  }
}
