import API
import Glibc
import Testing

/// What the binary does without a node.
@Suite(.timeLimit(.minutes(2))) struct UsageTests {
  private static let nowhere = "/tmp/pawl-nowhere"

  @Test(arguments: [
    ["bogus"], ["pull"], ["pull", "a/b", "--conflict", "burn"], ["invite", "--expires", "soon"], ["invite", "--expires", "0s"],
    ["peer", "rename", "one"], ["peer", "address"], ["peer", "address", "a", "add"], ["cancel"], ["forget"],
    ["tickets", "revoke"], ["tickets", "burn"], ["status", "--loud"], ["share"], ["join", "a", "b"],
    ["share", "a", "--only-this", "--all-versions"], ["share", "a", "--all-versions"],
    ["peer"], ["help", "nope"], ["invite", "--expires", "15"], ["help", "peer", "nope"],
  ])
  func aCommandLineThatMakesNoSenseExitsWith2(_ arguments: [String]) async throws {
    let outcome = try await run(arguments)
    #expect(outcome.exit == 2)
    #expect(outcome.out.isEmpty)
    #expect(outcome.error.hasPrefix("pawl: "))
  }

  /// The words of the argument parser, and what it leaves behind of an option that it does not know.
  @Test(
    arguments: [
      (["share", "src/lora", "-o", "x"], "unknown option '-o'"), (["pull", "a/b", "--to", "dst"], "unknown option '--to'"),
      (["pull"], "missing expected argument"), (["pull", "a/b", "--conflict", "burn"], "the value 'burn' is invalid"),
      (["unshare", "aud", "laptop"], "pawl unshare aud --from laptop"), (["help", "nope"], "pawl has no verb “nope”"),
      (["peer"], "pawl peer --help"), (["invite", "--expires", "15"], "write 90s, 15m or 2h"),
    ] as [([String], String)])
  func aUsageErrorNamesWhatIsWrong(_ arguments: [String], _ words: String) async throws {
    let outcome = try await Command.run(arguments, home: Self.nowhere)
    #expect(outcome.exit == 2)
    #expect(outcome.error.contains(words))
    #expect(outcome.error.contains("--help"))
  }

  @Test func helpThatIsAskedForIsNoError() async throws {
    for arguments in [["help"], ["help", "pull"], ["help", "peer", "rename"], ["peer", "--help"], []] {
      let outcome = try await Command.run(arguments, home: Self.nowhere)
      #expect(outcome.exit == 0 && outcome.error.isEmpty, "\(arguments)")
    }
  }

  @Test func withJSONAUsageErrorIsAnErrorLine() async throws {
    let outcome = try await run(["pull", "--json"])
    #expect(outcome.exit == 2)
    #expect(outcome.out.hasPrefix(#"{"code":"usage","exit":2,"#))
    #expect(outcome.outLines.count == 1)
  }

  @Test(arguments: [
    ["status"], ["id"], ["invite"], ["join", "pawl1x"], ["peers"], ["peer", "rename", "a", "b"], ["verify", "a"],
    ["revoke", "a"],
    ["share", "."], ["unshare", "a"], ["ls"], ["show", "a"], ["pull", "a/b"], ["check"],
    ["transfers"], ["cancel", "ab"], ["forget", "a"], ["peer", "address", "a"], ["tickets"], ["tickets", "revoke", "ab"],
  ])
  func withoutANodeEveryVerbExitsWith10AndSaysHowToStartOne(_ arguments: [String]) async throws {
    let outcome = try await run(arguments)
    #expect(outcome.exit == 10)
    #expect(outcome.out.isEmpty)
    #expect(outcome.error.contains("no node is running"))
    #expect(outcome.error.contains("pawl up"))
  }

  /// A variable that was never set must not publish the current folder, nor fill it.
  @Test(arguments: [["share", ""], ["pull", "a/b", "-o", ""]])
  func anEmptyPathIsNotTheCurrentFolder(_ arguments: [String]) async throws {
    let outcome = try await run(arguments)
    #expect(outcome.exit == 2)
    #expect(outcome.out.isEmpty)
    #expect(outcome.error.contains("is empty"))
    #expect(outcome.error.contains("current folder"))
  }

  @Test func withJSONAnEmptyPathIsAnErrorLine() async throws {
    let outcome = try await run(["share", "", "--json"])
    #expect(outcome.exit == 2)
    #expect(outcome.out.hasPrefix(#"{"code":"usage","exit":2,"#))
  }

  @Test func withoutANodeJSONSaysSo() async throws {
    let outcome = try await run(["status", "--json"])
    #expect(outcome.exit == 10)
    #expect(outcome.out.contains(#""code":"no_node","exit":10"#))
    #expect(outcome.error.isEmpty)
  }

  @Test func aSocketLeftOverFromACrashIsNoNode() async throws {
    let home = "/tmp/pawl-left-\(getpid())"
    mkdir(home, 0o700)
    let path = home + "/control.sock"
    defer {
      unlink(path)
      rmdir(home)
    }
    let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        #expect(bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0)
      }
    }
    close(left)
    let outcome = try await Command.run("status", home: home)
    #expect(outcome.exit == 10)
    #expect(outcome.error.contains("left over"))
  }

  @Test func versionAndHelpNeedNoNode() async throws {
    let version = try await run(["version"])
    #expect(version.exit == 0)
    #expect(version.out == "pawl \(Version.program)\n")
    let json = try await run(["version", "--json"])
    #expect(json.out.contains(#""type":"result""#))
    #expect(json.out.contains(#""version":"\#(Version.program)""#))
    let help = try await run(["--help"])
    #expect(help.exit == 0)
    for verb in [
      "up", "status", "id", "invite", "join", "peers", "verify", "revoke", "share", "unshare", "ls", "show", "pull", "check",
      "passphrase", "transfers", "cancel", "forget", "tickets",
    ] {
      #expect(help.out.contains("  \(verb) "))
    }
  }

  @Test func aHomeThatIsTooLongIsAClearError() async throws {
    let outcome = try await Command.run("status", home: "/tmp/" + String(repeating: "x", count: 120))
    #expect(outcome.exit == 2)
    #expect(outcome.error.contains("at most 107"))
  }

  @Test func joinWithoutATicketOnStandardInputSaysSo() async throws {
    let outcome = try await Command.run("join", "-", home: Self.nowhere, input: " \n\n")
    #expect(outcome.exit == 2)
    #expect(outcome.error.contains("no ticket"))
  }

  private func run(_ arguments: [String]) async throws -> Command.Outcome {
    switch arguments.count {
    case 1: try await Command.run(arguments[0], home: Self.nowhere)
    case 2: try await Command.run(arguments[0], arguments[1], home: Self.nowhere)
    case 3: try await Command.run(arguments[0], arguments[1], arguments[2], home: Self.nowhere)
    default: try await Command.run(arguments[0], arguments[1], arguments[2], arguments[3], home: Self.nowhere)
    }
  }
}
