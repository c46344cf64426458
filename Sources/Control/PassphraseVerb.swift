public import API
internal import FoundationEssentials
internal import Glibc
internal import Node
internal import Primitives
internal import Store

/// `pawl passphrase`: sets, changes or removes the passphrase of a state folder that no node runs on.
///
/// It is no request to the node: all is sealed anew, and that needs the folder to itself.
public struct PassphraseVerb {
  private let folder: StateFolder
  private let source: PassphraseSource?
  private let remark: (String) -> Void

  /// Does it. At a terminal it asks; elsewhere standard input has two lines, the current passphrase (empty if there is none, or if
  /// an option gives it) and the new one (empty: none any longer).
  ///
  /// - Parameters:
  ///   - options: where the current passphrase is to be had; the rest of them means nothing here.
  ///   - environment: what the places of a node and its settings depend on; nil: the process's own.
  ///   - remark: what the user should know; a line each.
  public static func run(
    _ options: DaemonOptions, environment: [String: String]? = nil, remark: @escaping (String) -> Void
  ) async throws -> PassphraseResult {
    let environment = environment ?? ProcessInfo.processInfo.environment
    // Secrets pass through here: no core dumps.
    Node.prepareProcess()
    do {
      let locations = try Locations.resolve(environment: environment)
      let settings = try await Settings.read(options, environment: environment, file: locations.configFile)
      try requireNode(at: locations)
      let folder = try StateFolder.open(locations)
      defer { folder.release() }
      for path in folder.tightened { remark("\(path) was open to other users; it is closed now") }
      let verb = PassphraseVerb(folder: folder, source: settings.passphrase, remark: remark)
      let change = TerminalPrompt.isThere ? try verb.ask() : try verb.readLines()
      if let source = settings.passphrase, change != .none {
        remark(
          "pawl up takes the passphrase from \(source.place): \(change == .removed ? "remove that" : "put the new one there")")
      }
      return PassphraseResult(change)
    } catch let error as StoreError {
      guard error.code != .locked else { throw running(error) }
      throw Failure(
        error.code == .noHome || error.code == .socketPathTooLong ? .usage : .failed, error.message, hint: error.hint)
    }
  }

  /// Throws where no node has ever run: a passphrase for nothing would be taken for one that protects something.
  private static func requireNode(at locations: Locations) throws(Failure) {
    let files = [locations.identityFile, locations.keyFile, locations.databaseFile]
    guard !files.contains(where: { access($0, F_OK) == 0 }) else { return }
    throw Failure(
      .notFound, "there is no node in \(locations.home ?? locations.state) yet",
      hint: "the first `pawl up` makes one; if there is one elsewhere, PAWL_HOME must say where")
  }

  private static func running(_ error: StoreError) -> Failure {
    let process = error.holder.map { "process \($0)" } ?? "another process"
    let stop = error.holder.map { "stop it (Ctrl-C where it runs, or: kill \($0))" } ?? "stop it"
    return Failure(
      .failed, "a node runs here (\(process)), and its keys are in use", hint: "\(stop), then: pawl passphrase; then: pawl up")
  }

  // MARK: Two lines

  private func readLines() throws -> PassphraseChange {
    let input = LineInput(STDIN_FILENO)
    let place = "standard input"
    guard let first = try input.line(place), let second = try input.line(place) else {
      throw Failure(
        .usage, "standard input must have two lines: the current passphrase and the new one",
        hint: "the first is empty if there is none yet; an empty second one removes the passphrase")
    }
    let current = try passphrase(first, "the first line")
    let new = try passphrase(second, "the second line")
    let keys = try keys(current)
    if !keys.hasPassphrase, let current {
      guard let new, new.isEqual(to: current) else {
        throw Failure(
          .usage, "no passphrase is set, and the first line gives one",
          hint: "leave the first line empty; the second one is the new passphrase")
      }
    }
    return try folder.rekey(keys, to: new)
  }

  private func keys(_ current: Passphrase?) throws -> Keyring {
    guard let current else {
      do { return try Unlocking(folder: folder, source: source, warn: remark).keys() } catch let error as StoreError
        where error.code == .passphraseNeeded
      {
        throw Failure(.failed, error.message, hint: "the first line on standard input is the current passphrase")
      }
    }
    return try folder.unlock(current)
  }

  private func passphrase(_ line: consuming SecretBuffer, _ what: String) throws(Failure) -> Passphrase? {
    if line.isEmpty { return nil }
    let count = line.count
    guard let passphrase = Passphrase(line) else {
      throw Failure(.usage, "\(what) of standard input \(PassphraseSource.fault(count))")
    }
    return passphrase
  }

  // MARK: At a terminal

  private func ask() throws -> PassphraseChange {
    let keys =
      try source == nil && folder.needsPassphrase()
      ? askCurrent()
      : Unlocking(
        folder: folder, source: source, warn: remark
      ).keys()
    let new = try TerminalPrompt.use { (prompt) throws(Failure) in try askNew(prompt, keys) }
    guard new != nil || keys.hasPassphrase else { return .none }
    return try folder.rekey(keys, to: new)
  }

  private func askCurrent() throws -> Keyring {
    let unlocking = Unlocking(folder: folder, source: nil, warn: remark)
    return try TerminalPrompt.use { (prompt) throws(Failure) in
      unlocking.asked(at: prompt, question: "current passphrase: ")
    }.get()
  }

  /// The new passphrase; nil: none.
  private func askNew(_ prompt: TerminalPrompt, _ keys: Keyring) throws(Failure) -> Passphrase? {
    let none = keys.hasPassphrase ? "empty: remove it" : "empty: leave it as it is"
    for _ in 1...Unlocking.tries {
      guard let line = try prompt.ask("new passphrase (\(none)): ") else { throw Failure(.failed, "nothing was changed") }
      if line.isEmpty {
        guard keys.hasPassphrase else { return nil }
        return try confirmRemoval(prompt)
      }
      guard let new = Passphrase(line) else {
        prompt.say("at most \(Passphrase.maximumBytes) bytes; try again")
        continue
      }
      guard let again = try prompt.ask("the same again: ") else { break }
      if let again = Passphrase(again), again.isEqual(to: new) { return new }
      prompt.say("these were two different ones; try again")
    }
    throw Failure(.failed, "no new passphrase was given; nothing was changed")
  }

  private func confirmRemoval(_ prompt: TerminalPrompt) throws(Failure) -> Passphrase? {
    let question = "without one, whoever copies the folder can be this node; remove it? (type yes) "
    guard let answer = try prompt.ask(question, isShown: true), answer.isEqual(to: Array("yes".utf8).span) else {
      throw Failure(.failed, "the passphrase was kept; nothing was changed")
    }
    return nil
  }
}

extension PassphraseResult {
  init(_ change: PassphraseChange) {
    switch change {
    case .set: self.init(passphrase: .set)
    case .changed: self.init(passphrase: .changed)
    case .removed: self.init(passphrase: .removed)
    case .none: self.init(passphrase: .none)
    }
  }
}
