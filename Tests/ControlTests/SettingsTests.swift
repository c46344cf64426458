import API
import EventLoop
import Foundation
import Logging
import Testing

@testable import Control

@Suite struct SettingsTests {
  @Test func theCommandLineIsOverTheEnvironmentIsOverTheFile() async throws {
    let file = "listen: 127.0.0.1:1\nname: from-file\nlog: error\n"
    let all = try await read(
      DaemonOptions(listen: "127.0.0.1:3"), ["PAWL_LISTEN": "127.0.0.1:2", "PAWL_NAME": "from-environment"], file)
    #expect(all.listen == HostPort(host: "127.0.0.1", port: 3))
    #expect(all.name == "from-environment")
    #expect(all.level == .error)
  }

  @Test func withoutAnythingThereAreDefaults() async throws {
    let none = try await read(DaemonOptions(), [:], nil)
    #expect(none.listen == nil)
    #expect(none.level == .info)
    #expect(!none.name.isEmpty && !none.name.contains("."))
    #expect(try await read(DaemonOptions(), ["PAWL_NAME": "", "PAWL_LISTEN": ""], "") == none)
  }

  @Test func thePassphraseComesFromTheFirstPlaceThatSaysOne() async throws {
    #expect(try await read(DaemonOptions(), [:], nil).passphrase == nil)
    let file = PassphraseSource(.file("/p"), place: "--passphrase-file")
    let variables = ["PAWL_PASSPHRASE_COMMAND": "echo a", "PAWL_LISTEN": ""]
    #expect(try await read(DaemonOptions(passphraseFile: "/p"), variables, "passphrase-file: /q\n").passphrase == file)
    let command = PassphraseSource(.command("echo a"), place: "PAWL_PASSPHRASE_COMMAND")
    #expect(try await read(DaemonOptions(), variables, "passphrase-file: /q\n").passphrase == command)
    let configured = try await read(DaemonOptions(), [:], "passphrase-command: pass show pawl\n")
    #expect(configured.passphrase?.kind == .command("pass show pawl"))
    #expect(configured.passphrase?.place.hasPrefix("passphrase-command in ") == true)
    #expect(configured.warnings.isEmpty)
  }

  private static let bad: [(DaemonOptions, [String: String], String, String)] = [
    (DaemonOptions(listen: "nonsense"), [:], "", "--listen"), (DaemonOptions(name: ""), [:], "", "--name"),
    (DaemonOptions(), ["PAWL_NAME": "-x"], "", "PAWL_NAME"), (DaemonOptions(), ["PAWL_LOG": "loud"], "", "PAWL_LOG"),
    (DaemonOptions(), [:], "log: [error]\n", "log in"), (DaemonOptions(), [:], "listen: {a: b}\nname: '!'\n", "name in"),
    (DaemonOptions(), [:], "name: [broken\n", "config.yaml"), (DaemonOptions(), [:], "- a\n- list\n", "config.yaml"),
    (DaemonOptions(), [:], "name: \u{1B}[31m\n", "config.yaml"),
    (DaemonOptions(passphraseFile: "a", passphraseCommand: "b"), [:], "", "--passphrase-command"),
    (DaemonOptions(passphraseFile: ""), [:], "", "--passphrase-file"),
    (DaemonOptions(), ["PAWL_PASSPHRASE_FILE": "a", "PAWL_PASSPHRASE_COMMAND": "b"], "", "PAWL_PASSPHRASE_FILE"),
  ]

  @Test(arguments: bad) func anUnusableValueIsAnErrorThatSaysWhereItStands(
    _ options: DaemonOptions, _ environment: [String: String], _ file: String, _ place: String
  ) async throws {
    let failure = await #expect(throws: Failure.self) { _ = try await read(options, environment, file) }
    #expect(failure?.code == .usage)
    #expect(failure?.message.contains(place) == true, "\(failure?.message ?? "")")
  }

  @Test func aMisspeltKeyIsAWarning() async throws {
    let settings = try await read(DaemonOptions(), [:], "# a remark\nlisten: 127.0.0.1:1\nnmae: studio\n")
    #expect(settings.warnings.count == 1)
    #expect(settings.warnings.first?.contains("nmae") == true)
  }

  @Test(arguments: [
    ("127.0.0.1:7411", "127.0.0.1:7411"), ("[::1]:0", "[::1]:0"), (":80", "[::]:80"), ("7411", "[::]:7411"),
    ("studio.lan:1", "studio.lan:1"), ("[::]:65535", "[::]:65535"),
  ])
  func aPlaceToListenIsRead(_ text: String, _ meaning: String) {
    #expect(HostPort(text)?.description == meaning)
  }

  @Test(arguments: ["", ":", "a", "a:", "a:x", "a:65536", "a:-1", "::1:80", "[::1:80", "[]:1", "a b:1", "ä:1", "a:1:2", "a:+1"])
  func whatIsNoPlaceToListenIsRefused(_ text: String) {
    #expect(HostPort(text) == nil)
  }

  @Test func aLogLineIsOneLineWhateverIsInIt() {
    let event = LogEvent(
      level: .info, message: "peer \u{1B}[2J\nfake line", metadata: ["b": "two words", "a": "x\ny", "c": "say \"hi\""],
      source: "t", file: "f", function: "f", line: 1)
    let line = StandardErrorLog.line(event, metadata: ["z": ""], at: timespec(tv_sec: 1_795_234_925, tv_nsec: 7_000_000))
    #expect(
      line == #"2026-11-21T04:22:05.007Z info peer \u{1B}[2J\u{A}fake line a=x\u{A}y b="two words" c="say \"hi\"" z="""# + "\n")
  }

  @Test(.timeLimit(.minutes(1))) func aPipeInThePlaceOfTheFileIsAnErrorAndNotWaitedFor() async throws {
    let folder = try temporaryFolder()
    let path = folder + "/config.yaml"
    defer {
      unlink(path)
      rmdir(folder)
    }
    try #require(mkfifo(path, 0o600) == 0)
    let failure = await #expect(throws: Failure.self) {
      _ = try await Settings.read(DaemonOptions(), environment: [:], file: path)
    }
    #expect(failure?.code == .usage && failure?.message.contains("it is a pipe") == true)
  }

  private func read(_ options: DaemonOptions, _ environment: [String: String], _ file: String?) async throws -> Settings {
    let folder = try temporaryFolder()
    let path = folder + "/config.yaml"
    if let file { try Data(file.utf8).write(to: URL(filePath: path)) }
    defer {
      unlink(path)
      rmdir(folder)
    }
    return try await Settings.read(options, environment: environment, file: path)
  }
}
