import API
import Foundation
import Glibc
import Testing

@testable import pawl

/// What the binary says to somebody who makes a mistake: what it was, and what to do next.
@Suite(.serialized, .timeLimit(.minutes(2))) struct WordsTests {
  private static let nowhere = "/tmp/pawl-nowhere"

  private func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Command.Outcome {
    try await Command.run(arguments, home: Self.nowhere, environment: environment)
  }

  private static let mistakes: [(line: [String], says: String)] = [
    (["pull"], "see: pawl pull --help"), (["pull", "studio", "lora"], "pawl pull studio/lora"),
    (["pull", "studio/lora", "./models"], "pawl pull studio/lora -o ./models"),
    (["share", "lora", "laptop"], "pawl share lora --to laptop"), (["share", "/", "/tmp"], "one file or folder at a time"),
    (["show", "studio", "lora"], "pawl show studio/lora"), (["ls", "studio", "lora"], "pawl show studio/lora"),
    (["list"], "did you mean pawl ls?"), (["fetch", "studio/lora"], "did you mean pawl pull?"),
    (["rename", "a", "b"], "did you mean pawl peer rename?"), (["frobnicate"], "pawl has no verb “frobnicate”"),
    (["peer", "address", "laptop", "add"], "'add' needs the HOST:PORT"), (["tickets", "revoke"], "needs the ID"),
    (["invite", "--expires", "soon"], "write 90s, 15m or 2h"), (["status", "--loud"], "--loud"),
    (["pull", "studio/lora", "-o", "~bob/models"], "the shell has not expanded"),
  ]

  @Test(arguments: mistakes) func everyUsageErrorBeginsAlikeAndSaysWhatToDo(_ line: [String], _ says: String) async throws {
    let outcome = try await run(line)
    #expect(outcome.exit == 2)
    #expect(outcome.out.isEmpty)
    #expect(outcome.error.hasPrefix("pawl: "), "\(outcome.error)")
    #expect(!outcome.error.contains("Error:"))
    #expect(outcome.error.contains(says), "\(outcome.error)")
  }

  @Test(arguments: mistakes) func withJSONEveryUsageErrorIsOneErrorObject(_ line: [String], _ says: String) async throws {
    for (arguments, environment) in [(line + ["--json"], [:]), (line, ["PAWL_JSON": "1"])] {
      let outcome = try await run(arguments, environment: environment)
      #expect(outcome.exit == 2)
      #expect(outcome.error.isEmpty)
      let object = try #require(try outcome.json.first)
      #expect(outcome.outLines.count == 1)
      #expect(object["type"] == "error" && object["code"] == "usage" && object["exit"] == 2)
      #expect((object["message"].text + " " + object["hint"].text).contains(says), "\(outcome.out)")
    }
  }

  @Test func groupsOfVerbsAnswerInJSONToo() async throws {
    for arguments in [["--json"], ["peer", "--json"]] {
      let outcome = try await run(arguments)
      #expect(outcome.exit == 2)
      #expect(try outcome.json.map { $0["type"] } == ["error"])
      #expect(outcome.out.contains("the verb is missing"))
    }
  }

  /// Every variable that the sources of the command and its settings read, but for those that say where a node is.
  @Test func everyVariableThatIsReadStandsInTheHelpOfItsVerb() async throws {
    let named: [(verb: String, variables: [String])] = [
      ("up", ["PAWL_LISTEN", "PAWL_NAME", "PAWL_LOG", "PAWL_PASSPHRASE_FILE", "PAWL_PASSPHRASE_COMMAND", "PAWL_JSON"]),
      ("pull", ["PAWL_OUTPUT", "PAWL_CONFLICT", "PAWL_VERIFY", "PAWL_JSON", "PAWL_QUIET", "PAWL_VERBOSE", "PAWL_NO_PROGRESS"]),
      ("share", ["PAWL_FOLLOW", "PAWL_ALL"]), ("invite", ["PAWL_EXPIRES"]),
      ("passphrase", ["PAWL_PASSPHRASE_FILE", "PAWL_PASSPHRASE_COMMAND"]),
    ]
    for (verb, variables) in named {
      let help = try await run([verb, "--help"]).out
      for variable in variables { #expect(help.contains("[\(variable)]"), "\(verb): \(variable)") }
    }
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/pawl")
    var read: Set<String> = []
    for file in try FileManager.default.contentsOfDirectory(at: sources, includingPropertiesForKeys: nil) {
      let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
      for match in text.matches(of: /Environment\.(?:value|isOn)\("(PAWL_\w+)"\)/) { read.insert(String(match.output.1)) }
    }
    #expect(read.count >= 8)
    #expect(read.isSubset(of: Set(named.flatMap(\.variables))))
  }

  @Test func theHelpSaysHowManyDigitsOfANodeIDAreNeeded() async throws {
    for verb in [["verify"], ["revoke"], ["peer", "address"]] {
      #expect(try await run(verb + ["--help"]).out.contains("8 or more digits"))
    }
  }

  @Test func aTildeThatNoShellHasExpandedIsTheHomeFolder() async throws {
    #expect(try HomePath.expanded("~/x", home: "/home/me") == "/home/me/x")
    #expect(try HomePath.expanded("~", home: "/home/me") == "/home/me")
    for path in ["./~/x", "x~", "/~", "a/~/b"] { #expect(try HomePath.expanded(path, home: "/home/me") == path) }
    #expect(throws: Failure.self) { try HomePath.expanded("~/x", home: nil) }
    #expect(throws: Failure.self) { try HomePath.expanded("~bob/x", home: "/home/me") }
    let result = ShareResult(artifact: "x", version: 1, digest: "d", files: [], bytes: 0, audience: [])
    try await PlayedNode.answering([Lines.result(result)]) { node in
      _ = try await Command.run("share", "~/x", home: node.home, environment: ["HOME": "/home/me"], workingDirectory: "/tmp")
      #expect(
        try Lines.readRequest(Array(try #require(node.received.last).utf8)) == .share(ShareRequest(path: "/home/me/x")))
      _ = try await Command.run("pull", "a/b", "-o", "~/y", home: node.home, environment: ["HOME": "/home/me"])
      #expect(
        try Lines.readRequest(Array(try #require(node.received.last).utf8))
          == .pull(PullRequest(artifact: "a/b", directory: "/home/me/y")))
      _ = try await Command.run(
        "pull", "a/b", home: node.home, environment: ["HOME": "/home/me", "PAWL_OUTPUT": "~/z"])
      #expect(
        try Lines.readRequest(Array(try #require(node.received.last).utf8))
          == .pull(PullRequest(artifact: "a/b", directory: "/home/me/z")))
      // PAWL_HOME too: here it leads to the played node.
      let parent = String(node.home.prefix(upTo: node.home.lastIndex(of: "/") ?? node.home.startIndex))
      let outcome = try await Command.run(
        "share", "/x", home: "~" + node.home.dropFirst(parent.count), environment: ["HOME": parent], workingDirectory: "/")
      #expect(outcome.exit == 0, "\(outcome.error)")
    }
  }

  @Test func aPassphraseForAHomeWithoutANodeIsRefusedAndNothingIsMade() async throws {
    let home = "/tmp/pawl-empty-\(getpid())"
    let outcome = try await Command.run(["passphrase", "--json"], home: home, input: "\nsecret\n")
    #expect(outcome.exit == 11)
    #expect(outcome.out.contains("there is no node in \(home) yet"))
    #expect(access(home, F_OK) != 0)
  }

  @Test func aConfigurationThatCannotBeReadIsExplainedInWords() async throws {
    let home = "/tmp/pawl-config-\(getpid())"
    mkdir(home, 0o700)
    mkdir("\(home)/config.yaml", 0o700)
    defer { try? FileManager.default.removeItem(atPath: home) }
    let folder = try await Command.run("up", "--listen", "127.0.0.1:0", home: home)
    #expect(folder.exit == 2)
    #expect(folder.error.contains("config.yaml cannot be used: it is a folder"))
    rmdir("\(home)/config.yaml")
    try Data([0xFF, 0xFE]).write(to: URL(fileURLWithPath: "\(home)/config.yaml"))
    #expect(try await Command.run("up", home: home).error.contains("it is not UTF-8 text"))
    // A file in the place of the home.
    let file = try await Command.run("up", home: "\(home)/config.yaml")
    #expect(file.exit == 2)
    #expect(file.error.contains("a part of its path is a file"))
    #expect(!file.error.contains("Domain"))
  }

  @Test func anEmptyFileWasNotThereAlready() {
    let empty = PullResult(
      artifact: "a", version: 1, digest: "d", path: "/p", files: [FileEntry(path: "e", size: 0, sha256: "e3")], bytes: 0,
      bytesTransferred: 0, seconds: 0.1, sources: ["studio"], readBack: .verified)
    #expect(PullReport.remarks(empty, verbose: false)[0] == "1 file, 0 B in 0.1 s, from studio")
    var there = empty
    there.bytes = 5
    #expect(PullReport.remarks(there, verbose: false)[0].contains("all of it was there already"))
  }

  @Test func oneParameterIsNoParameters() {
    #expect(ShowReport.text(.init(dtypes: ["F32": 1], tensors: 1, parameters: 1)) == "F32, 1 tensor, 1 parameter")
  }
}
