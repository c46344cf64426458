import API
import Glibc
import Testing

/// What the binary makes of a node's answers. The node is played.
@Suite(.timeLimit(.minutes(2))) struct AnswerTests {
  private static let pulled = PullResult(
    artifact: "lora", version: 3, digest: "d1", path: "/models/lora",
    files: [FileEntry(path: "a.bin", size: 20_113_000, sha256: "aa")], bytes: 20_113_000, bytesTransferred: 20_113_000,
    seconds: 0.5, sources: ["studio"], readBack: .verified)
  private static let peer = Peer(
    alias: "laptop", name: "lap\u{1B}[2Jtop", node: "ab", fingerprint: "ab", verified: false, online: true,
    address: "10.0.0.2:7411", paired: 1, session: "established")

  @Test func aResultGoesToStandardOutputAndRemarksToStandardError() async throws {
    try await PlayedNode.answering([Lines.result(Self.pulled)]) { node in
      let outcome = try await Command.run("pull", "studio/lora", "-o", "models", home: node.home, workingDirectory: "/tmp")
      #expect(outcome.exit == 0)
      #expect(outcome.out == "lora@v3 is in /models/lora\n")
      #expect(outcome.error.contains("1 file, 20.1 MB in 0.5 s (40.2 MB/s), from studio"))
      #expect(outcome.error.contains("verified"))
      let request = try Lines.readRequest(Array(try #require(node.received.first).utf8))
      #expect(request == .pull(PullRequest(artifact: "studio/lora", directory: "/tmp/models")))
    }
  }

  @Test func whatWasRenamedAndWhatCanDoHarmIsNamed() async throws {
    var pulled = Self.pulled
    pulled.files = [FileEntry(path: "a (2).ckpt", artifactPath: "a.ckpt", size: 1, sha256: "aa")]
    pulled.warnings = ["a (2).ckpt is a pickle\u{1B}"]
    try await PlayedNode.answering([Lines.result(pulled)]) { node in
      let outcome = try await Command.run("pull", "studio/lora", home: node.home)
      #expect(
        outcome.out == "lora@v3 is in /models/lora\n  a.ckpt is in a (2).ckpt: something different has its name\n")
      #expect(outcome.error.contains("warning: a (2).ckpt is a pickle\\u{1B}\n"))
    }
  }

  /// 100,000 files would take more memory as values than as a line.
  @Test func aLongResultAndALongFailureArePassedThroughAndCounted() async throws {
    var pulled = Self.pulled
    pulled.files = (0..<4_000).map { FileEntry(path: "sub/\($0)", size: 1, sha256: String(repeating: "ab", count: 32)) }
    let result = try Lines.result(pulled)
    try await PlayedNode.answering([result]) { node in
      let json = try await Command.run("pull", "studio/lora", "--json", home: node.home)
      #expect(json.exit == 0 && json.out == String(decoding: result, as: UTF8.self))
      let text = try await Command.run("pull", "studio/lora", home: node.home)
      #expect(text.error.contains("4000 files"), "\(text.error)")
    }
    let failure = Lines.failure(Failure(.conflict, "1 file was left alone", placed: pulled))
    try await PlayedNode.answering([failure]) { node in
      let json = try await Command.run("pull", "studio/lora", "--json", home: node.home)
      #expect(json.exit == 16 && json.out == String(decoding: failure, as: UTF8.self))
      let text = try await Command.run("pull", "studio/lora", home: node.home)
      #expect(text.exit == 16 && text.out.hasPrefix("lora@v3 is in") && text.error.contains("1 file was left alone"))
    }
  }

  @Test func quietSaysNothingButTheResult() async throws {
    try await PlayedNode.answering([Lines.result(Self.pulled)]) { node in
      let outcome = try await Command.run("pull", "studio/lora", "-q", home: node.home)
      #expect(outcome.out == "lora@v3 is in /models/lora\n")
      #expect(outcome.error.isEmpty)
    }
  }

  @Test func jsonPassesEveryLineThrough() async throws {
    let lines = try [Lines.progress(Progress(phase: .asking)), Lines.event(.notice("x")), Lines.result(Self.pulled)]
    try await PlayedNode.answering(lines) { node in
      let outcome = try await Command.run("pull", "studio/lora", "--json", home: node.home)
      #expect(outcome.exit == 0)
      #expect(outcome.out == String(decoding: lines.joined(), as: UTF8.self))
      #expect(outcome.error.isEmpty)
      let quiet = try await Command.run("pull", "studio/lora", "--json", "--no-progress", home: node.home)
      #expect(quiet.outLines.count == 2)
      let byEnvironment = try await Command.run("pull", "studio/lora", home: node.home, environment: ["PAWL_JSON": "1"])
      #expect(byEnvironment.outLines.count == 3)
    }
  }

  @Test func progressIsNotDrawnWhereStandardErrorIsNoTerminal() async throws {
    let progress = try Lines.progress(Progress(phase: .fetching, file: "a", bytes: 1, bytesTotal: 2))
    try await PlayedNode.answering([progress, Lines.result(Self.pulled)]) { node in
      let outcome = try await Command.run("pull", "studio/lora", home: node.home)
      #expect(!outcome.error.contains("\r"))
      #expect(!outcome.error.contains("\u{1B}"))
    }
  }

  @Test(
    arguments: [
      (.failed, 1), (.usage, 2), (.partial, 3), (.noNode, 10), (.notFound, 11), (.notAllowed, 12), (.integrity, 13),
      (.unreachable, 14), (.noSpace, 15), (.conflict, 16), (.timeout, 17), (.interrupted, 130),
    ] as [(Failure.Code, Int32)])
  func aFailureExitsWithItsCode(_ code: Failure.Code, _ exit: Int32) async throws {
    try await PlayedNode.answering([Lines.failure(Failure(code, "what happened", hint: "what to do"))]) { node in
      let outcome = try await Command.run("pull", "studio/lora", home: node.home)
      #expect(outcome.exit == exit)
      #expect(outcome.out.isEmpty)
      #expect(outcome.error == "pawl: what happened\n      what to do\n")
      let json = try await Command.run("pull", "studio/lora", "--json", home: node.home)
      #expect(json.exit == exit)
      #expect(json.out.contains(#""type":"error""#))
    }
  }

  @Test func aHostileNameReachesTheTerminalEscaped() async throws {
    let hostile = "x\u{1B}[2J\u{202E}\u{9B}31m\r\n"
    let list = ListResult(
      peer: "studio",
      artifacts: [ArtifactSummary(artifact: hostile, version: 1, digest: "d", files: 1, bytes: 1, created: 1, note: hostile)])
    try await PlayedNode.answering([Lines.result(list)]) { node in
      for arguments in [["ls", "studio"], ["ls", "--json"]] {
        let outcome = try await Command.run(arguments[0], arguments[1], home: node.home)
        #expect(outcome.exit == 0)
        let all = outcome.out + outcome.error
        #expect(!all.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control })
        #expect(!all.unicodeScalars.contains { $0.properties.generalCategory == .format })
      }
    }
    try await PlayedNode.answering([Lines.failure(Failure(.notFound, hostile, hint: hostile))]) { node in
      let outcome = try await Command.run("ls", "studio", home: node.home)
      #expect(!outcome.error.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control })
    }
  }

  @Test func theTicketStandsAloneOnOneLine() async throws {
    let ticket = TicketResult(ticket: "pawl1abc", expires: 4_000_000_000, addresses: ["10.0.0.1:7411"])
    try await PlayedNode.answering([Lines.result(InviteResult.ticket(ticket))]) { node in
      let outcome = try await Command.run("invite", "laptop", "--no-wait", "--expires", "2h", home: node.home)
      #expect(outcome.out == "pawl1abc\n")
      let request = try Lines.readRequest(Array(try #require(node.received.first).utf8))
      #expect(request == .invite(InviteRequest(alias: "laptop", expiresSeconds: 7_200, wait: false)))
    }
  }

  @Test func aTicketFromStandardInputIsTrimmedAndTheSafetyNumberShown() async throws {
    let digits = String(repeating: "12345", count: 12)
    try await PlayedNode.answering([Lines.result(PairingResult(peer: Self.peer, safetyNumber: digits))]) { node in
      let outcome = try await Command.run("join", "-", home: node.home, input: "\n  pawl1abc \r\nmore\n")
      #expect(outcome.exit == 0)
      #expect(outcome.outLines.filter { $0 == "    12345 12345 12345 12345" }.count == 3)
      #expect(outcome.out.contains(#"laptop (calls itself lap\u{1B}[2Jtop)"#))
      #expect(outcome.error.contains("pawl verify laptop --confirm"))
      let request = try Lines.readRequest(Array(try #require(node.received.first).utf8))
      #expect(request == .join(JoinRequest(ticket: "pawl1abc")))
    }
  }

  @Test func controlCEndsAnInviteWith130AfterTheNodeHasWithdrawnIt() async throws {
    let ticket = TicketResult(ticket: "pawl1abc", expires: 4_000_000_000, addresses: [])
    let lines = try [Lines.event(.ticket(ticket)), Lines.failure(Failure(.interrupted, "the ticket is withdrawn"))]
    try await PlayedNode.answering(lines, waits: true) { node in
      let outcome = try await Command.run("invite", home: node.home) { pid in
        await node.waitForRequest()
        kill(pid, SIGINT)
      }
      #expect(outcome.exit == 130)
      #expect(outcome.out == "pawl1abc\n")
      #expect(outcome.error.contains("the ticket is withdrawn"))
    }
  }

  @Test func controlCEndsACommandWhoseNodeDoesNotAnswer() async throws {
    try await PlayedNode.answering([[], []], waits: true) { node in
      let outcome = try await Command.run("pull", "studio/lora", home: node.home) { pid in
        await node.waitForRequest()
        kill(pid, SIGINT)
      }
      #expect(outcome.exit == 130)
    }
  }

  @Test(arguments: ["", "garbage\n", "{}\n", #"{"type":"result"}"# + "\n", #"{"type":"result","artifact":"#])
  func aNodeThatDiesOrTalksNonsenseIsAnErrorAndNoTrap(_ answer: String) async throws {
    try await PlayedNode.answering([Array(answer.utf8)]) { node in
      let outcome = try await Command.run("pull", "studio/lora", home: node.home)
      #expect(outcome.exit == 1 || outcome.exit == 10)
      #expect(outcome.error.hasPrefix("pawl: "))
    }
  }

  @Test func aConflictShowsWhatWasPlacedAndWhatWasLeftAlone() async throws {
    var placed = Self.pulled
    placed.skipped = ["b.bin"]
    try await PlayedNode.answering([Lines.failure(Failure(.conflict, "1 file was left alone", placed: placed))]) { node in
      let outcome = try await Command.run("pull", "studio/lora", home: node.home)
      #expect(outcome.exit == 16)
      #expect(outcome.out.contains("left alone, something different is there: b.bin"))
      #expect(outcome.error == "pawl: 1 file was left alone\n")
    }
  }

  @Test func anAbsolutePathIsSentWhateverTheUserWrote() async throws {
    let result = ShareResult(artifact: "tmp", version: 1, digest: "d", files: [], bytes: 0, audience: [])
    try await PlayedNode.answering([Lines.result(result)]) { node in
      for (path, absolute) in [(".", "/tmp"), ("./a//b/", "/tmp/a/b"), ("/x/./y", "/x/y"), ("../tmp", "/tmp")] {
        let outcome = try await Command.run("share", path, home: node.home, workingDirectory: "/tmp")
        #expect(outcome.out == "tmp@v1 d\n")
        #expect(outcome.error.contains("nobody may pull it yet"))
        let request = try Lines.readRequest(Array(try #require(node.received.last).utf8))
        #expect(request == .share(ShareRequest(path: absolute)))
      }
    }
  }

  @Test func sharingSaysWhatWasFollowedAndWhatWasLeftOut() async throws {
    let result = ShareResult(
      artifact: "tmp", version: 1, digest: "d", files: [FileEntry(path: "a", size: 5, sha256: "aa")], bytes: 5,
      folders: ["empty"], links: (0..<12).map { LinkEntry(path: "l\($0)\u{1B}", target: "/blobs/\($0)") },
      leftOut: (0..<11).map { ".tmp\($0)\u{1B}" }, leftOutCount: 250, audience: ["all"])
    try await PlayedNode.answering([Lines.result(result)]) { node in
      let outcome = try await Command.run("share", "/x", "--follow", "--all", home: node.home)
      #expect(outcome.out == "tmp@v1 d\n")
      #expect(outcome.error.contains(#"followed: l0\u{1B} → /blobs/0"#))
      #expect(outcome.error.contains("followed: 2 more links"))
      #expect(outcome.error.contains(#", .tmp9\u{1B} and 240 more (--all takes them)"#))
      #expect(outcome.error.contains("1 file, 1 empty folder, 5 B"))
      let request = try Lines.readRequest(Array(try #require(node.received.last).utf8))
      #expect(request == .share(ShareRequest(path: "/x", follow: true, all: true)))
      let quiet = try await Command.run("share", "/x", "-v", home: node.home)
      #expect(quiet.error.contains("followed: l11"))
    }
  }
}
