import Foundation
import Glibc
import Primitives
import Testing

extension EndToEnd {
  /// The passphrase: set, given and taken away by the real binary.
  @Suite(.timeLimit(.minutes(5))) struct PassphraseTests {
    /// A node that was started once and has stopped.
    private func stopped(_ house: Household) async throws -> HouseholdNode {
      let studio = house.node("studio")
      try await studio.start()
      #expect(try await studio.stop() == .exit(0))
      return studio
    }

    private func run(_ node: HouseholdNode, _ input: String) async throws -> (exit: Int32?, last: JSON) {
      let outcome = try await Command.run(["passphrase", "--json"], home: node.home, input: input)
      return (outcome.exit, try #require(try outcome.json.last, "\(outcome.error)"))
    }

    /// Starts the node with options, waits until it is ready, and ends it.
    private func starts(
      _ node: HouseholdNode, in house: Household, _ options: [String] = [], environment: [String: String] = [:]
    ) async throws {
      let child = try await Child.start(
        ["up", "--listen", "127.0.0.1:0"] + options, home: node.home, log: node.log, environment: environment, on: house.loop)
      _ = try await child.line(containing: "ready ")
      child.signal(SIGTERM)
      #expect(try await child.ended() == .exit(0))
    }

    @Test func twoLinesOnStandardInputSetChangeAndRemoveIt() async throws {
      try await Household.with { house in
        let studio = try await stopped(house)
        let key = house.read("\(studio.home)/identity/key")
        // What is no two lines, or makes no sense, changes nothing.
        for input in ["", "one line\n", "\n", "one\ntwo\n", "\n\(String(repeating: "x", count: 1_025))\n", "\na\u{0}b\n"] {
          let (exit, last) = try await run(studio, input)
          #expect(exit == 2 || exit == 1, "\(last)")
          #expect(last["type"] == "error" && !last["message"].text.isEmpty)
        }
        #expect(try await run(studio, "\n\n").last["passphrase"] == "none")
        #expect(house.read("\(studio.home)/identity/key") == key)

        #expect(try await run(studio, "\nfirst\n").last["passphrase"] == "set")
        let wrong = try await run(studio, "wrong\nsecond\n")
        #expect(wrong.exit == 1)
        #expect(wrong.last["message"].text.contains("not the passphrase"))
        let missing = try await run(studio, "\nsecond\n")
        #expect(missing.exit == 1)
        #expect(missing.last["hint"].text.contains("first line"))
        // The end of the last line may be missing.
        #expect(try await run(studio, "first\nsecond").last["passphrase"] == "changed")
        #expect(try await run(studio, "second\n\n").last["passphrase"] == "removed")
        // None set, and both lines the same: the new one, repeated.
        #expect(try await run(studio, "third\nthird\n").last["passphrase"] == "set")
        #expect(try await run(studio, "third\n\n").last["passphrase"] == "removed")
        try await starts(studio, in: house)
      }
    }

    @Test func whileTheNodeRunsItsPassphraseStaysAndTheProcessIsNamed() async throws {
      try await Household.with("studio") { house in
        let studio = house.node("studio")
        let pid = Int(try await studio.ask("status")["pid"].number)
        let refused = try await run(studio, "\nfirst\n")
        #expect(refused.exit == 1)
        #expect(refused.last["message"].text.contains("process \(pid)"))
        #expect(refused.last["hint"].text.contains("kill \(pid)"))
        #expect(try await Int(studio.ask("status")["pid"].number) == pid)
      }
    }

    @Test func upTakesItFromAFileACommandOrTheConfiguration() async throws {
      try await Household.with { house in
        let studio = try await stopped(house)
        // None is set yet: a warning, and the node runs.
        let file = try house.write("secrets/passphrase", "correct horse\n")
        chmod(file, 0o600)
        try await starts(studio, in: house, ["--passphrase-file", file])
        #expect(try String(contentsOfFile: studio.log, encoding: .utf8).contains("none is set"))
        #expect(try await run(studio, "\ncorrect horse\n").last["passphrase"] == "set")

        try await starts(studio, in: house, ["--passphrase-file", file])
        try await starts(studio, in: house, environment: ["PAWL_PASSPHRASE_FILE": file])
        try await starts(studio, in: house, ["--passphrase-command", "cat '\(file)'; echo 'and more'"])
        try await starts(studio, in: house, environment: ["PAWL_PASSPHRASE_COMMAND": "cat '\(file)'"])
        // The option counts, whatever the variable of the other kind says.
        try await starts(studio, in: house, ["--passphrase-file", file], environment: ["PAWL_PASSPHRASE_COMMAND": "exit 1"])
        try house.write("homes/studio/config.yaml", "passphrase-file: \(file)\n")
        chmod("\(studio.home)/config.yaml", 0o600)
        try await starts(studio, in: house)
        #expect(try !String(contentsOfFile: studio.log, encoding: .utf8).contains("open to other users"))
        chmod(file, 0o644)
        try await starts(studio, in: house)
        #expect(try String(contentsOfFile: studio.log, encoding: .utf8).contains("open to other users"))
        #expect(try !String(contentsOfFile: studio.log, encoding: .utf8).contains("correct horse"))
      }
    }

    @Test func aPassphraseThatIsMissingWrongOrNoneIsAClearError() async throws {
      try await Household.with { house in
        let studio = try await stopped(house)
        #expect(try await run(studio, "\ncorrect horse\n").last["passphrase"] == "set")
        let before = house.tree("homes/studio").compactMap { house.read("homes/studio/\($0)") }
        let wrong = try house.write("wrong", "wrong horse\n")
        let lines = try house.write("lines", "correct horse\nand more\n")
        let empty = try house.write("empty", "\n")
        for (options, word): ([String], String) in [
          ([], "--passphrase-file"), (["--passphrase-file", wrong], "not the passphrase"),
          (["--passphrase-file", lines], "more than one line"), (["--passphrase-file", empty], "is empty"),
          (["--passphrase-file", "\(house.path)/nowhere"], "no such file"), (["--passphrase-file", house.path], "folder"),
          (["--passphrase-command", "echo wrong"], "not the passphrase"), (["--passphrase-command", "exit 3"], "exit code 3"),
          (["--passphrase-command", "kill -9 $$"], "signal 9"), (["--passphrase-command", "true"], "is empty"),
        ] {
          let outcome = try await Command.run(["up", "--listen", "127.0.0.1:0"] + options, home: studio.home)
          #expect(outcome.exit == 1, "\(options)")
          #expect(outcome.error.contains(word), "\(options): \(outcome.error)")
          #expect(!outcome.error.contains("horse") && outcome.out.isEmpty)
        }
        let both = try await Command.run(
          ["up", "--passphrase-file", wrong, "--passphrase-command", "true"], home: studio.home)
        #expect(both.exit == 2)
        let after = house.tree("homes/studio").compactMap { house.read("homes/studio/\($0)") }
        // Nothing was written but who held the lock.
        #expect(zip(before, after).filter { $0 != $1 }.count <= 1)
      }
    }

    @Test func aCopiedStateFolderWithAPassphraseOpensNothing() async throws {
      try await Household.with { house in
        let studio = try await stopped(house)
        let id = try await identitySeeds(house, studio.home)
        #expect(try await run(studio, "\ncorrect horse\n").last["passphrase"] == "set")
        try FileManager.default.copyItem(atPath: studio.home, toPath: "\(house.path)/homes/copy")
        let copy = house.node("copy")
        let without = try await Command.run(["up", "--listen", "127.0.0.1:0"], home: copy.home)
        #expect(without.exit == 1 && without.out.isEmpty)
        let wrong = try await Command.run(
          ["up", "--listen", "127.0.0.1:0", "--passphrase-command", "echo guess"], home: copy.home)
        #expect(wrong.exit == 1 && wrong.out.isEmpty)
        // Neither a seed of the identity, nor the key that sealed it before, nor the passphrase.
        let files = house.tree("homes/copy")
        #expect(files.count >= 5)
        for file in files {
          guard let bytes = house.read("homes/copy/\(file)") else { continue }
          for secret in id + [Array("correct horse".utf8)] {
            #expect(Data(bytes).range(of: Data(secret)) == nil, "\(file)")
          }
        }
        try await starts(copy, in: house, ["--passphrase-command", "echo 'correct horse'"])
      }
    }

    /// The four seeds of a node without a passphrase, and the key that they are sealed under: as the documents say where they are.
    private func identitySeeds(_ house: Household, _ home: String) async throws -> [[UInt8]] {
      let file = try #require(house.read("\(home)/identity/key"))
      #expect(file.count == 77)
      let secret = Array(file[45...])
      let key = StateKey(SecretBytes(copying: secret))
      let sealed = Array(try #require(house.read("\(home)/identity/identity"))[48...])
      let opened = try key.open(sealed, context: Array("pawl/1 identity file".utf8))
      let identity = [UInt8](copying: opened.span)
      return (0..<4).map { Array(identity[16 + 32 * $0..<48 + 32 * $0]) } + [secret]
    }

    @Test func aPassphraseIsTypedUnseenAndAWrongOneMayBeCorrected() async throws {
      try await Household.with { house in
        let studio = try await stopped(house)
        try await Typist.at("exec \"$PAWL\" passphrase", home: studio.home, on: house.loop) { typist in
          try await typist.sees("new passphrase")
          try typist.type("correct horse\n")
          try await typist.sees("the same again: ")
          try typist.type("correct house\n")
          try await typist.sees("two different ones")
          try await typist.sees("new passphrase", times: 2)
          try typist.type("correct horse\n")
          try await typist.sees("the same again: ", times: 2)
          try typist.type("correct horse\n")
          try await typist.sees("the passphrase is set")
          #expect(try await typist.ended() == 0)
          #expect(!typist.screen.contains("correct"))
        }
        try await Typist.at("exec \"$PAWL\" up --listen 127.0.0.1:0", home: studio.home, on: house.loop) { typist in
          try await typist.sees("passphrase: ")
          try typist.type("wrong horse\n")
          try await typist.sees("try again")
          try typist.type("correct horse\n")
          try await typist.sees("ready ")
          try typist.type("\u{3}")
          #expect(try await typist.ended() == 0)
          #expect(!typist.screen.contains("horse"))
        }
        try await Typist.at("exec \"$PAWL\" passphrase", home: studio.home, on: house.loop) { typist in
          try await typist.sees("current passphrase: ")
          try typist.type("correct horse\n")
          try await typist.sees("new passphrase")
          try typist.type("\n")
          try await typist.sees("type yes")
          try typist.type("yes\n")
          try await typist.sees("the passphrase is removed")
          #expect(try await typist.ended() == 0)
        }
        try await starts(studio, in: house)
      }
    }

    @Test func ctrlCAtThePromptRestoresTheTerminal() async throws {
      try await Household.with { house in
        let studio = try await stopped(house)
        #expect(try await run(studio, "\ncorrect horse\n").last["passphrase"] == "set")
        let line = "trap : INT; stty -a; \"$PAWL\" up --listen 127.0.0.1:0; echo \"exit $?\"; stty -a; echo over"
        try await Typist.at(line, home: studio.home, on: house.loop) { typist in
          try await typist.sees("passphrase: ")
          try typist.type("half of it\u{3}")
          try await typist.sees("exit 130")
          try await typist.sees("over")
          _ = try await typist.ended()
          #expect(typist.screen.ranges(of: " echo ").count == 2, "\(typist.screen)")
          #expect(!typist.screen.contains("half"))
        }
      }
    }
  }
}
