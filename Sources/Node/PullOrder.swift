internal import Artifact
internal import Foundation
internal import Store
internal import Transfer

/// What a pull is to do, checked and made ready for the machine.
struct PullOrder: Sendable {
  /// The peer's alias.
  let alias: String
  /// The user named a version: an older one than the newest known is meant.
  let isExplicitVersion: Bool
  /// Where it goes; nil: only the manifest is wanted.
  let destination: PullDestination?
}

/// Where a pull goes and what of it.
struct PullDestination: Hashable, Sendable {
  /// Absolute folder.
  let directory: String
  /// Patterns as the user gave them; empty: all files.
  let only: [String]
  /// What to do with a different file that is there already.
  let rule: ConflictRule

  /// Checks a request's options.
  init(_ request: PullCommand) throws {
    guard request.directory.hasPrefix("/") else { throw NodeError(.usage, "the destination must be an absolute path") }
    guard let rule = ConflictRule(rawValue: request.conflict) else {
      throw NodeError(.usage, "“\(request.conflict)” is no conflict rule", hint: "skip, overwrite or rename")
    }
    self.rule = rule
    directory = request.directory
    only = request.only
    for pattern in only {
      do { _ = try GlobPattern(pattern) } catch {
        throw NodeError(.usage, "“\(pattern)” is no pattern: \(error.reason)", hint: "for example: --only '*.safetensors'")
      }
    }
  }

  /// The indices of the manifest's files that are wanted.
  func selection(_ manifest: Manifest) throws -> [Int] {
    guard !only.isEmpty else { return Array(manifest.files.indices) }
    let patterns = try only.map { try GlobPattern($0) }
    let chosen = manifest.files.indices.filter { index in patterns.contains { $0.matches(manifest.files[index].path) } }
    guard !chosen.isEmpty else {
      throw NodeError(
        .notFound, "no file of \(manifest.name) matches \(only.joined(separator: ", "))", hint: "`pawl show` lists the files")
    }
    return chosen
  }

  /// The manifest's empty folders that are wanted: all, or those that a pattern matches.
  func emptyFolders(_ manifest: Manifest) throws -> [SafePath] {
    guard !only.isEmpty else { return manifest.emptyFolders }
    let patterns = try only.map { try GlobPattern($0) }
    return manifest.emptyFolders.filter { folder in patterns.contains { $0.matches(folder) } }
  }

  /// What tells two pulls of one artifact into one folder apart, as bytes for the store.
  var options: [UInt8] {
    let fields = ["conflict": [rule.rawValue], "only": only]
    return (try? JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys])).map { [UInt8]($0) } ?? []
  }
}

extension PullFailure {
  /// Whether resuming helps only once something has changed at the peer: it no longer has what was being fetched.
  var isHopeless: Bool {
    switch code {
    case .changed, .gone, .notFound: true
    default: false
    }
  }

  /// Whether nothing came.
  var isSilence: Bool {
    switch code {
    case .unreachable, .stalled: true
    default: false
    }
  }

  /// What the user is told.
  func explained(peer alias: String, reference: String) -> NodeError {
    switch code {
    case .notFound:
      NodeError(.notFound, "\(alias) has no \(reference) for this node", hint: "`pawl ls \(alias)` lists what it shares")
    case .changed(let path):
      NodeError(
        .integrity,
        "\(alias) cannot serve \(reference): \(Self.name(path)) was changed since it was shared",
        hint: "ask for it to be shared again")
    case .gone(nil):
      NodeError(
        .notFound, "\(alias) no longer has \(reference): it was withdrawn, or its folder is gone",
        hint: "`pawl ls \(alias)` lists what it shares")
    case .gone(let path):
      NodeError(
        .notFound, "\(alias) cannot serve \(reference): \(Self.name(path)) is no longer there",
        hint: "the same command resumes once the file is back; or ask for it to be shared again")
    case .unreadable(let path):
      NodeError(
        .unreachable, "\(alias) cannot read \(Self.name(path)) of \(reference): its disk or its permissions refuse",
        hint: "the same command resumes once it can be read there")
    case .busy:
      NodeError(.unreachable, "\(alias) is too busy to send \(reference)", hint: "the same command resumes where it stopped")
    case .integrity: NodeError(.integrity, "\(alias) sent something that does not verify: \(reason)")
    case .unreachable:
      NodeError(.unreachable, "\(alias) cannot be reached", hint: "the same command resumes when it is back")
    case .stalled:
      NodeError(.unreachable, "nothing came from \(alias) for 30 seconds", hint: "the same command resumes where it stopped")
    case .refused: NodeError(.failed, "\(alias) does not serve \(reference) now: \(reason)", hint: "try again later")
    case .protocolViolation: NodeError(.integrity, "\(alias) broke the protocol: \(reason)")
    }
  }

  private static func name(_ path: SafePath?) -> String { path.map { "“\($0.text)”" } ?? "a file" }
}
