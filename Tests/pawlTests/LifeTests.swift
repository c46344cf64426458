import API
import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Starting, dying and coming back.
  @Suite(.timeLimit(.minutes(3))) struct LifeTests {
    @Test func stateIsPrivateAndSurvivesKillAndRestart() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let path = try house.write("a.bin", pattern(10_000))
        try await studio.ask("share", path, "--to", "laptop", "--note", "kept")
        let before = try await studio.ask("id")

        try await studio.destroy()
        #expect(access("\(studio.home)/control.sock", F_OK) == 0, "the socket is left over")
        let none = try await studio.run("ls")
        #expect(none.exit == 10)
        #expect(none.error.contains("pawl up"))
        try await studio.start()
        #expect(try await studio.ask("id") == before)
        #expect(try await studio.ask("ls")["artifacts"][0]["note"] == "kept")
        #expect(try await studio.ask("peers")["peers"][0]["alias"] == "laptop")
        // The link comes back by itself, and what was shared can be pulled.
        try await laptop.ask("pull", "studio/a.bin", "-o", "\(house.path)/models")
        #expect(house.read("models/a.bin") == pattern(10_000))

        #expect(try await studio.stop() == .exit(0))
        #expect(access("\(studio.home)/control.sock", F_OK) != 0, "a clean end takes the socket away")
        let out = try FileManager.default.subpathsOfDirectory(atPath: studio.home)
        #expect(out.count >= 4)
        for name in out {
          var status = stat()
          #expect(lstat("\(studio.home)/\(name)", &status) == 0)
          let isFolder = status.st_mode & S_IFMT == S_IFDIR
          #expect(status.st_mode & 0o777 == (isFolder ? 0o700 : 0o600), "\(name)")
        }
      }
    }

    @Test func aReaderOfTheLogThatStopsReadingStopsNothing() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        // Standard error is a pipe, and nobody reads it.
        try #require(mkfifo(studio.log, 0o600) == 0)
        let reader = open(studio.log, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        try await studio.start(through: ["/usr/bin/env", "PAWL_LOG=debug"])
        // Each request is a line of some eighty bytes; the pipe takes 64 KiB, the queue 256 KiB.
        let path = "\(studio.home)/control.sock"
        try await Task.detached {
          for _ in 0..<50 {
            var client = try Client(path: path)
            for _ in 0..<200 {
              try client.send(.id)
              _ = try client.nextLine()
            }
          }
        }.value
        #expect(try await studio.ask("status", limit: .seconds(20))["type"] == "result")
        // Read at last, it tells how much is missing.
        var text: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 1 << 16)
        try await house.eventually("the lines that were dropped are counted") {
          let count = read(reader, &room, room.count)
          if count > 0 { text += room.prefix(count) }
          return String(decoding: text, as: UTF8.self).contains("log lines were dropped")
        }
        // And a reader that has stopped again does not hold up the end.
        try await Task.detached {
          for _ in 0..<30 {
            var client = try Client(path: path)
            for _ in 0..<200 {
              try client.send(.id)
              _ = try client.nextLine()
            }
          }
        }.value
        #expect(try await studio.stop() == .exit(0))
      }
    }

    @Test func linksComeBackByThemselvesWhicheverSideWasAway() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        func isOnline(_ node: HouseholdNode) async throws -> Bool {
          try await node.ask("peers")["peers"][0]["online"] == true
        }
        for away in [studio, laptop] {
          let other = away.name == "studio" ? laptop : studio
          try await house.eventually("linked") { try await isOnline(other) }
          #expect(try await away.stop() == .exit(0))
          try await house.eventually("its absence is seen") { try await !isOnline(other) }
          let alone = try await other.ask("peers")["peers"][0]
          #expect(alone["last_seen"].number > 0)
          try await away.start()
          // Nobody asks for anything; `peers` only looks.
          try await house.eventually("linked again") {
            let here = try await isOnline(other)
            let there = try await isOnline(away)
            return here && there
          }
        }
      }
    }

    @Test func aPeerThatIsAwayIsUnreachableAndNotForever() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        try await studio.destroy()
        let began = ContinuousClock.now
        let missing = try await laptop.ask("pull", "studio/a.bin", "-o", "\(house.path)/models", exit: 14)
        #expect(missing["message"].text.contains("studio"))
        #expect(ContinuousClock.now - began < .seconds(30))
        try await laptop.ask("pull", "nobody/a.bin", exit: 11)
        try await laptop.ask("pull", "a.bin", exit: 2)
      }
    }

    @Test func aSecondNodeOnTheSameHomeSaysWhoHoldsIt() async throws {
      try await Household.with("studio") { house in
        let studio = house.node("studio")
        let pid = try await studio.ask("status")["pid"]
        let second = try await Command.run("up", "--listen", "127.0.0.1:0", home: studio.home)
        #expect(second.exit == 1)
        #expect(second.out.isEmpty)
        #expect(second.error.contains("process \(Int(pid.number))"))
        #expect(try await studio.ask("status")["pid"] == pid, "the first goes on")
        let taken = try await Command.run("up", "--listen", studio.address, home: "\(house.path)/taken")
        #expect(taken.exit == 1)
        #expect(taken.error.contains(studio.address))
      }
    }

    @Test func severalClientsAreServedAtOnce() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        for number in 0..<4 {
          let path = try house.write("f\(number).bin", pattern(300_000, seed: number))
          try await studio.ask("share", path, "--to", "laptop")
        }
        // One that waits for a long time holds up nobody.
        let invite = try await laptop.begin("invite")
        _ = try await invite.line(containing: "pawl1")
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 0..<4 {
            group.addTask {
              try await laptop.ask("pull", "studio/f\(number).bin", "-o", "\(house.path)/models")
              #expect(house.read("models/f\(number).bin") == pattern(300_000, seed: number))
            }
            group.addTask {
              let listed = try await laptop.ask("ls", "studio")
              #expect(listed["artifacts"].elements.count == 4)
            }
            group.addTask { _ = try await studio.ask("status") }
          }
          try await group.waitForAll()
        }
        // The node's end ends its clients, too.
        #expect(try await laptop.stop() == .exit(0))
        let end = try await invite.ended(within: .seconds(10))
        #expect(end != .exit(0))
      }
    }
  }
}
