import API
import EventLoop
import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// Nodes that get little from their system, and signals that are no end.
  @Suite(.timeLimit(.minutes(5))) struct LimitTests {
    /// A shell that sets a limit and becomes the node.
    private func shell(_ line: String) -> [String] { ["/bin/sh", "-c", "\(line) exec \"$@\"", "sh"] }

    @Test func threeHundredFilesGoOverWithSixtyFourDescriptors() async throws {
      try await Household.with { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        for node in [studio, laptop] { try await node.start(through: shell("ulimit -n 64;")) }
        try await house.pair(studio, laptop)
        func bytes(_ number: Int) -> [UInt8] { (0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) } }
        for number in 0..<300 { try house.write("set/f\(number).bin", bytes(number)) }
        try await studio.ask("share", "\(house.path)/set", "--to", "laptop")
        try await laptop.ask("pull", "studio/set", "-o", "\(house.path)/models")
        #expect((0..<300).filter { house.read("models/set/f\($0).bin") != bytes($0) } == [])
        let log = try String(contentsOfFile: studio.log, encoding: .utf8)
        #expect(log.contains("ulimit -n"), "the node says that its limit is low")
      }
    }

    @Test func aNodeWithoutDescriptorsToSpareAnswersItsUserThroughAFlood() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        try await studio.start(through: shell("ulimit -n 24;"))
        // A hundred that come again as soon as they are sent away.
        let port = try #require(studio.address.split(separator: ":").last.flatMap { UInt16($0) })
        let flood = (0..<100).map { _ in
          Task {
            while !Task.isCancelled {
              let stream = try? await TCPStream.connect(
                host: "127.0.0.1", port: port, on: house.loop, deadline: .after(.seconds(5)))
              _ = try? await stream?.read(deadline: .after(.seconds(30)))
              await stream?.close()
            }
          }
        }
        for _ in 0..<3 { #expect(try await studio.ask("status", limit: .seconds(20))["type"] == "result") }
        for task in flood { task.cancel() }
        #expect(try await studio.ask("peers", limit: .seconds(20))["type"] == "result")
        let log = try String(contentsOfFile: studio.log, encoding: .utf8)
        #expect(log.split(separator: "\n").count < 20, "nobody fills the log: \(log)")
        #expect(try await studio.stop() == .exit(0))
      }
    }

    @Test func whoeverOnlyHoldsTheControlSocketKeepsNobodyOut() async throws {
      try await Household.with("studio") { house in
        let studio = house.node("studio")
        var idle: [PipeStream] = []
        for _ in 0..<140 {
          idle.append(try await PipeStream.connect(path: "\(studio.home)/control.sock", on: house.loop))
        }
        // Either it has room by now, or it says at once that it has none: nobody waits.
        try await house.eventually("a command is answered") { try await studio.run("status", limit: .seconds(20)).exit == 0 }
        for stream in idle { await stream.close() }
      }
    }

    /// Whether this process may mount a file system of its own.
    private static let canMount = geteuid() == 0 && system("unshare -m true > /dev/null 2>&1") == 0

    @Test(.enabled(if: canMount, "needs root: it mounts a small file system"))
    func aFullStateDiskIsSaidAndEndsWith15() async throws {
      try await Household.with("studio") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        let state = try house.folder("homes/laptop/state")
        chmod("\(house.path)/homes/laptop", 0o700)
        // Only the node sees it.
        let mount = "mount -t tmpfs -o size=4m,mode=0700 tmpfs \(state) &&"
        try await laptop.start(through: ["/usr/bin/unshare", "-m"] + shell(mount))
        try await house.pair(studio, laptop)
        let path = try house.write("a.bin", pattern(10_000))
        try await studio.ask("share", path, "--to", "laptop")
        let pid = try await laptop.ask("status")["pid"]
        let root = "/proc/\(Int(pid.number))/root\(state)/filler"
        // All but nothing of what is left.
        try? Data(count: 4 << 20).write(to: URL(fileURLWithPath: root), options: [])
        let full = open(root, O_WRONLY | O_APPEND | O_CREAT, 0o600)
        let zeros = [UInt8](repeating: 0, count: 512)
        while write(full, zeros, zeros.count) > 0 {}
        close(full)
        let failure = try await laptop.ask("pull", "studio/a.bin", "-o", "\(house.path)/models", exit: 15)
        #expect(failure["message"].text.contains("no room"), "\(failure)")
        #expect(try await laptop.ask("ls", "studio", exit: 15)["message"].text.contains("no room"))
        unlink(root)
        try await laptop.ask("pull", "studio/a.bin", "-o", "\(house.path)/models")
        #expect(house.read("models/a.bin") == pattern(10_000))
      }
    }

    @Test(.enabled(if: canMount, "needs root: it mounts a small file system"))
    func aNodeThatFindsItsDiskFullEndsWith15() async throws {
      try await Household.with("studio") { house in
        let studio = house.node("studio")
        #expect(try await studio.stop() == .exit(0))
        // The same state on a small disk that only the node sees, without room for what SQLite writes beside it.
        let state = "\(studio.home)/state"
        let mount =
          "cp -a \(state) \(house.path)/copy && mount -t tmpfs -o size=1m,mode=0700 tmpfs \(state) && cp -a \(house.path)/copy/. \(state)/"
        let child = try await Child.start(
          ["up", "--listen", "127.0.0.1:0"], home: studio.home, log: "\(house.path)/full.log",
          through: ["/usr/bin/unshare", "-m"] + shell("\(mount); head -c 4000000 /dev/zero > \(state)/filler 2> /dev/null;"),
          on: house.loop)
        #expect(try await child.ended() == .exit(15))
        let log = try String(contentsOfFile: "\(house.path)/full.log", encoding: .utf8)
        #expect(log.contains("no room left for the node's state"), "\(log)")
      }
    }

    @Test func littleAddressSpaceIsNoReasonToDie() async throws {
      try await Household.with("studio") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await laptop.start(through: shell("ulimit -v 400000;"))
        try await house.pair(studio, laptop)
        let path = try house.write("big.bin", pattern(12_000_000))
        try await studio.ask("share", path, "--to", "laptop")
        try await laptop.ask("pull", "studio/big.bin", "-o", "\(house.path)/models")
        #expect(house.read("models/big.bin") == pattern(12_000_000))
        #expect(try await laptop.stop() == .exit(0))
      }
    }

    /// A thread that begins before the node has set up its heap gets one of its own: for large artifacts 50 MB more. Only root
    /// may look.
    @Test(.enabled(if: geteuid() == 0)) func aNodeHasOneHeap() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        try await studio.start()
        let pid = try #require(studio.process?.pid)
        let maps = try String(contentsOfFile: "/proc/\(pid)/maps", encoding: .utf8).split(separator: "\n")
        // Another heap is 64 MiB of addresses at a multiple of that: first what is in use, then what is not yet.
        let ranges = maps.map { line in line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) } }
        let heaps = zip(ranges, ranges.dropFirst()).filter { used, unused in
          used[0].isMultiple(of: 64 << 20) && used[1] == unused[0] && unused[1] == used[0] + (64 << 20)
        }
        #expect(heaps.isEmpty)
        #expect(maps.contains { $0.hasSuffix("[heap]") })
      }
    }

    @Test func aHangUpReadsTheConfigurationAgain() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        let file = "\(studio.home)/config.yaml"
        try house.write("homes/studio/config.yaml", "log: warning\nlisten: 127.0.0.1:0\n")
        chmod(studio.home, 0o700)
        let child = try await Child.start(["up"], home: studio.home, log: studio.log, on: house.loop)
        house.atTheEnd { try? await child.destroy() }
        _ = try await child.line(containing: "ready ")
        func log() throws -> String { try String(contentsOfFile: studio.log, encoding: .utf8) }
        try Data("log: debug\nname: renamed\nlisten: 127.0.0.1:1\n".utf8).write(to: URL(fileURLWithPath: file))
        child.signal(SIGHUP)
        try await house.eventually("it goes by its new name") { try await studio.run("id").out.contains("renamed") }
        try await house.eventually("the log says more") { try log().contains("debug request") }
        #expect(try log().contains("take effect at the next start settings=listen"))
        // What cannot be used changes nothing.
        try Data("log: loud\n".utf8).write(to: URL(fileURLWithPath: file))
        child.signal(SIGHUP)
        try await house.eventually("it says what is wrong") {
          _ = try await studio.ask("id")
          return try log().contains("the settings stay as they are")
        }
        #expect(try await studio.ask("id")["name"] == "renamed")
        child.signal(SIGTERM)
        #expect(try await child.ended() == .exit(0))
      }
    }

    @Test func aNodeWhoseTerminalIsGoneEndsCleanly() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        _ = try house.folder("homes/studio")
        chmod(studio.home, 0o700)
        let log = "\(house.path)/hung-up"
        // `script` makes the terminal. Killed, it takes the terminal along.
        try await Typist.at("exec $PAWL up --listen 127.0.0.1:0 2> \(log)", home: studio.home, on: house.loop) { typist in
          try await typist.sees("ready ")
          typist.tearDown()
          // "stopped" is the last thing that a clean end says.
          try await house.eventually("it has ended") {
            _ = try await studio.run("status")
            return try String(contentsOfFile: log, encoding: .utf8).contains("stopped")
          }
          #expect(try String(contentsOfFile: log, encoding: .utf8).contains("the terminal is gone"))
          #expect(access("\(studio.home)/control.sock", F_OK) != 0, "a clean end takes the socket away")
        }
      }
    }

    @Test func aNodeStartedToOutliveItsTerminalDoes() async throws {
      try await Household.with { house in
        let studio = house.node("studio")
        try await studio.start(through: ["/usr/bin/nohup"])
        studio.process?.signal(SIGHUP)
        #expect(try await studio.ask("status")["type"] == "result")
        let log = (try? String(contentsOfFile: studio.log, encoding: .utf8)) ?? ""
        #expect(!log.contains("read again"))
        #expect(try await studio.stop() == .exit(0))
      }
    }
  }
}
