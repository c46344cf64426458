import Foundation
import Glibc
import Testing

extension EndToEnd {
  /// What may not be shared, and what is shown of what strangers wrote.
  @Suite(.timeLimit(.minutes(3))) struct SourceTests {
    @Test func whatCannotBeSharedIsRefusedByName() async throws {
      try await Household.with("studio") { house in
        let studio = house.node("studio")
        func refused(_ path: String, _ exit: Int32, _ words: String..., name: String? = nil) async throws {
          let outcome = try await Command.run(
            ["share", "\(house.path)/\(path)"] + (name.map { ["--name=\($0)"] } ?? []), home: studio.home)
          #expect(outcome.exit == exit, "\(outcome.error)")
          #expect(outcome.out.isEmpty)
          if name != "" { #expect(outcome.error.split(separator: "\n").count <= 2, "\(outcome.error)") }
          for word in words { #expect(outcome.error.contains(word), "\(outcome.error)") }
        }
        try await refused("nothing-here", 11, "nothing-here", "does not exist")
        _ = try house.folder("empty/sub")
        try await refused("empty", 2, "empty", "no file")
        try house.write("art/a.bin", "a")
        symlink("a.bin", "\(house.path)/art/link.bin")
        try await refused("art", 2, "link.bin", "symbolic link")
        unlink("\(house.path)/art/link.bin")
        symlink("/etc/passwd", "\(house.path)/art/link.bin")
        for flag in ["--follow", "--all"] {
          let outcome = try await studio.run("share", "\(house.path)/art", flag)
          #expect(outcome.exit == 2 && outcome.error.contains("art/link.bin") && outcome.error.contains("symbolic link"))
        }
        unlink("\(house.path)/art/link.bin")
        symlink("nothing", "\(house.path)/art-link")
        try await refused("art-link", 11, "art-link", "does not exist")
        for path in [" ", "  "] {
          let outcome = try await studio.run("share", path, workingDirectory: house.path)
          #expect(outcome.exit == 11 && outcome.error.contains("does not exist"))
        }
        mkfifo("\(house.path)/art/pipe", 0o600)
        try await refused("art", 2, "pipe")
        unlink("\(house.path)/art/pipe")
        try house.write("art/a\u{1B}[2J.bin", "a")
        try await refused("art", 2, #"a\u{1B}[2J.bin"#)
        unlink("\(house.path)/art/a\u{1B}[2J.bin")
        for name in ["a/b", "-x", ".hidden", "a@v1", "a\u{7}", "a\u{202E}", String(repeating: "x", count: 129), ""] {
          try await refused("art", 2, "name", name: name)
        }
        try await studio.ask("share", "\(house.path)/art", "--to", "nobody", exit: 11)
        #expect(try await studio.ask("ls")["artifacts"] == .array([]), "nothing of it was published")

        let outcome = try await studio.run("share", "\(house.path)/art")
        #expect(outcome.exit == 0)
        #expect(outcome.error.contains("nobody may pull it yet"))
      }
    }

    @Test(.enabled(if: Restriction.isPossible, "this user may read and write everything and cannot give that up"))
    func whatMayNotBeReadOrWrittenIsAClearError() async throws {
      try await Household.with("studio") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        _ = try await studio.stop()
        try await studio.start(through: Restriction.wrapper)
        try await laptop.start(through: Restriction.wrapper)
        try await house.pair(studio, laptop)
        try house.write("art/a.bin", "a")
        let locked = try house.write("art/locked.bin", "b")
        chmod(locked, 0)
        let unreadable = try await studio.ask("share", "\(house.path)/art", exit: 1)
        #expect(unreadable["message"].text.contains("locked.bin"))
        chmod(locked, 0o600)
        try await studio.ask("share", "\(house.path)/art", "--to", "laptop")

        // Locked away after it was shared.
        chmod(locked, 0)
        let unread = try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models", exit: 14)
        #expect(unread["message"].text.contains("cannot read “locked.bin”"))
        chmod(locked, 0o600)
        try await laptop.ask("pull", "studio/art", "-o", "\(house.path)/models")
        #expect(house.tree("models") == ["art", "art/a.bin", "art/locked.bin"])

        let closed = try house.folder("closed")
        chmod(closed, 0o500)
        for folder in [closed, "\(closed)/sub"] {
          let refused = try await laptop.ask("pull", "studio/art", "-o", folder, exit: 1)
          #expect(refused["message"].text.contains("closed"))
          #expect(refused["hint"].text.contains("permission"))
        }
        chmod(closed, 0o700)
        #expect(house.tree("closed").isEmpty)
      }
    }

    @Test func whatAPeerWroteReachesTheTerminalEscaped() async throws {
      try await Household.with("studio", "laptop") { house in
        let (studio, laptop) = (house.node("studio"), house.node("laptop"))
        try await house.pair(studio, laptop)
        let hostile = "v1 \u{1B}[31mred\u{1B}[2J \u{9B}1m \u{202E}kcab\u{7}"
        let path = try house.write("名前🐾.txt", "x")
        try await studio.ask("share", path, "--name", "lora 🐾", "--to", "laptop", "--note", hostile)
        let outcomes = [
          try await laptop.run("ls", "studio"), try await laptop.run("ls", "studio", "--json"),
          try await laptop.run("show", "studio/lora 🐾"), try await laptop.run("show", "studio/lora 🐾", "--json"),
          try await laptop.run("pull", "studio/lora 🐾", "-o", "\(house.path)/models"),
          try await laptop.run("check"), try await studio.run("ls"),
          try await laptop.run("pull", "studio/\u{1B}[2J"), try await laptop.run("ls", "\u{1B}[2J"),
          try await studio.run("share", "\(house.path)/\u{1B}[2J"), try await studio.run("join", "pawl1\u{1B}[2J"),
        ]
        for outcome in outcomes { #expect((outcome.out + outcome.error).isPlainForATerminal, "\(outcome)") }
        #expect(outcomes[0].out.contains(#"\u{1B}[31mred"#))
        #expect(try await laptop.ask("ls", "studio")["artifacts"][0]["note"].text == hostile)
        #expect(outcomes[4].exit == 0, "\(outcomes[4].error)")
        #expect(house.read("models/名前🐾.txt") == [UInt8(ascii: "x")])

        for log in [studio.log, laptop.log] {
          #expect(try String(contentsOfFile: log, encoding: .utf8).isPlainForATerminal)
        }
        let named = try await Command.run("up", "--name", "a\u{1B}[2Jb", "--listen", "127.0.0.1:0", home: "\(house.path)/n")
        #expect(named.exit == 2)
        #expect(named.error.isPlainForATerminal)
      }
    }
  }
}

/// Running a node without the privilege to read and write everything: whoever is not root has none, and root gives it up.
enum Restriction {
  private static let program = "/usr/bin/setpriv"

  static var isPossible: Bool { getuid() != 0 || access(program, X_OK) == 0 }
  static var wrapper: [String] {
    getuid() != 0
      ? [] : [program, "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search", "--"]
  }
}
