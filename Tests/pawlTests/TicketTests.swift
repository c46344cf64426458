import Foundation
import Glibc
import Testing

extension EndToEnd {
  @Suite(.timeLimit(.minutes(3))) struct TicketTests {
    @Test func aTicketPairsTwoNodesThatThenSeeTheSameSafetyNumber() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let invite = try await studio.begin("invite", "lap", "--json")
        let event = try JSON(line: try await invite.line(containing: "ticket"))
        #expect(event["type"] == "event")
        #expect(event["event"] == "ticket")
        #expect(event["expires"].number > Date().timeIntervalSince1970)
        let joined = try await laptop.run("join", "-", "--json", input: event["ticket"].text + "\n")
        #expect(joined.exit == 0, "\(joined.out)")
        let pairing = try #require(try joined.json.last)
        #expect(pairing["peer"]["alias"] == "studio", "the peer's own name")
        #expect(try await invite.ended() == .exit(0))
        #expect(invite.lines.count == 2)
        let result = try JSON(line: invite.lines[1])
        #expect(result["type"] == "result")
        #expect(result["peer"]["alias"] == "lap")
        let me = try await laptop.ask("id")
        #expect(result["peer"]["node"] == me["node"])
        #expect(result["safety_number"] == pairing["safety_number"])
        #expect(result["safety_number"].text.utf8.count == 60)

        #expect(try await laptop.ask("peers")["peers"][0]["verified"] == false)
        try await laptop.ask("verify", "studio", "--confirm")
        #expect(try await laptop.ask("peers")["peers"][0]["verified"] == true)
        try await laptop.ask("peer", "rename", "studio", "chief")
        #expect(try await laptop.ask("ls", "chief")["artifacts"] == .array([]))
        try await laptop.ask("ls", "studio", exit: 11)
        try await laptop.ask("peer", "rename", "chief", "not a name", exit: 2)
        try await laptop.ask("verify", "nobody", exit: 11)
        try await laptop.ask("revoke", "nobody", exit: 11)
      }
    }

    @Test func aTicketThatCannotBeRightIsRefusedWithoutTouchingTheNetwork() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let ticket = try await studio.ticket()
        // With nobody at the address, whatever touches the network exits with 14.
        try await studio.destroy()
        try await laptop.ask("join", ticket, exit: 14)
        var mistyped = Array(ticket)
        let middle = mistyped.count / 2
        mistyped[middle] = mistyped[middle] == "a" ? "b" : "a"
        let wrong = [
          String(mistyped), String(ticket.dropLast(3)), String(ticket.prefix(40)), "pawl1", "garbage", ticket + "a",
          "pawl2" + ticket.dropFirst(5), String(repeating: "a", count: 8_000),
        ]
        for text in wrong {
          let refused = try await laptop.ask("join", text, exit: 2)
          #expect(refused["message"].text.contains("ticket"), "\(refused["message"].text)")
        }
        // As a person would paste it.
        let noisy = try await laptop.run("join", "-", "--json", input: "\n   \(ticket.uppercased())  \r\n\r\n")
        #expect(noisy.exit == 14)
        #expect(try await laptop.ask("peers")["peers"] == .array([]))
      }
    }

    @Test func aTicketWorksForOneJoinerOnly() async throws {
      try await Household.with("studio", "laptop", "desk") { house in
        let (studio, laptop, desk) = (house.node("studio"), house.node("laptop"), house.node("desk"))
        let ticket = try await studio.ticket(alias: "lap")
        let own = try await studio.ask("join", ticket, exit: 2)
        #expect(own["message"].text.contains("own"))
        try await laptop.ask("join", ticket)
        let used = try await desk.ask("join", ticket, exit: 12)
        #expect(used["message"].text.contains("already used"))
        // Whoever used it may repeat: the answer may have been lost.
        try await laptop.ask("join", ticket)
        try await laptop.ask("ls", "studio")
        #expect(try await studio.ask("peers")["peers"].elements.count == 1)
        // Taken aliases: an error where the user gave it, a number where the peer did.
        try await studio.ask("invite", "lap", "--no-wait", exit: 16)
        let other = house.node("other")
        try await other.start()
        try await laptop.ask("join", try await other.ticket(), "--alias", "studio", exit: 16)
        let fresh = try await other.ticket()
        try await laptop.ask("join", fresh, "--alias", "other")
      }
    }

    @Test func anExpiredTicketIsRefusedAndWhoWaitsForItIsTold() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let ticket = try await studio.ticket(expires: "1s")
        let waiting = try await studio.run("invite", "--expires", "1s", "--json")
        #expect(waiting.exit == 17)
        #expect(try waiting.json.map { $0["type"] } == ["event", "error"])
        let expired = try await laptop.ask("join", ticket, exit: 17)
        #expect(expired["message"].text.contains("expired"))
        for life in ["0s", "8d", "soon"] { #expect(try await studio.run("invite", "--no-wait", "--expires", life).exit == 2) }
      }
    }

    @Test(arguments: [SIGINT, SIGKILL])
    func aTicketWhoseInviterWentAwayIsWithdrawn(_ signal: Int32) async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let invite = try await studio.begin("invite", "--json")
        let ticket = try JSON(line: try await invite.line(containing: "ticket"))["ticket"].text
        invite.signal(signal)
        #expect(try await invite.ended() == (signal == SIGINT ? .exit(130) : .signal(SIGKILL)))
        if signal == SIGINT { #expect(try JSON(line: invite.lines[1])["exit"] == 130) }
        try await house.eventually("the ticket is withdrawn") { try await studio.ask("status")["tickets"] == 0 }
        let refused = try await laptop.ask("join", ticket, exit: 12)
        #expect(refused["message"].text.contains(studio.address), "it names who answered")
      }
    }

    @Test func aTicketThatLeadsToNobodyOrToSomebodyElseSaysWhoAnswered() async throws {
      try await Household.with("studio", "laptop", "desk") { house in
        let (studio, laptop, desk) = (house.node("studio"), house.node("laptop"), house.node("desk"))
        let nobody = try await laptop.ask("join", try await studio.ticket(address: "127.0.0.1:1"), exit: 14)
        #expect(nobody["message"].text.contains("127.0.0.1:1"))
        let stranger = try await laptop.ask("join", try await studio.ticket(address: desk.address), exit: 12)
        #expect(stranger["message"].text.contains(desk.address))
        try await studio.ask("invite", "--no-wait", "--address", "nowhere", exit: 2)

        // Several addresses are tried side by side: a dead one costs next to nothing.
        let outcome = try await studio.run(
          "invite", "laptop", "--no-wait", "--json", "--address", "127.0.0.1:1", "--address", "192.0.2.1:7411", "--address",
          studio.address)
        let ticket = try #require(try outcome.json.last)
        #expect(ticket["addresses"].elements.count == 3)
        try await laptop.ask("join", ticket["ticket"].text, limit: .seconds(10))
      }
    }
  }
}
