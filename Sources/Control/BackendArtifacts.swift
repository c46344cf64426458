internal import API
internal import Artifact
internal import Node
internal import Primitives
internal import Session
internal import Store

extension NodeAdapter {
  func share(_ request: ShareRequest, replies: Replies) async throws -> ShareResult {
    try await translating {
      let asked = ShareCommand(
        path: request.path, name: request.name, to: request.to.filter { $0 != ShareRequest.everyone },
        toAll: request.to.contains(ShareRequest.everyone), note: request.note, followsLinks: request.follow,
        takesAll: request.all, rule: AudienceRule(request.scope))
      let shared: ShareSummary
      do {
        shared = try await node.share(asked) { hashed, total in
          replies.progress(Progress(phase: .hashing, bytes: UInt64(hashed), bytesTotal: total))
        }
      } catch let error as ArtifactError {
        // What is here cannot be an artifact; nothing failed to verify.
        throw Failure(.usage, "\(request.path) cannot be shared: \(error.reason)", hint: "nothing was shared")
      }
      return ShareResult(
        artifact: shared.name, version: UInt32(clamping: shared.version), digest: shared.digest,
        files: shared.files.map(FileEntry.init), bytes: shared.files.reduce(0) { $0 + $1.sizeBytes },
        folders: shared.emptyFolders, links: shared.links.map { LinkEntry(path: $0.path, target: $0.target) },
        leftOut: shared.leftOut.paths, leftOutCount: shared.leftOut.count, unchanged: !shared.isNew,
        audience: shared.isForAll ? [ShareRequest.everyone] : shared.audience,
        opened: request.to.isEmpty ? [] : shared.opened.map { UInt32(clamping: $0) }, warnings: shared.warnings)
    }
  }

  func unshare(_ request: UnshareRequest) async throws -> UnshareResult {
    try await translating {
      let (name, versions, audience) = try await node.unshare(request.artifact, from: request.from)
      return UnshareResult(
        artifact: name, versions: versions.map { UInt32(clamping: $0) }, from: request.from, audience: audience)
    }
  }

  func list(_ request: ListRequest) async throws -> ListResult {
    try await translating {
      let entries = try await node.list(peer: request.peer)
      return ListResult(
        peer: request.peer,
        artifacts: entries.map { entry in
          ArtifactSummary(
            artifact: entry.name, version: UInt32(clamping: entry.version), digest: entry.digest, files: entry.files,
            bytes: entry.bytes, created: entry.created, note: entry.note, audience: entry.audience,
            state: entry.state.map(API.SourceState.init))
        })
    }
  }

  func show(_ request: ShowRequest) async throws -> ShowResult {
    try await translating {
      let report = try await node.show(request.artifact)
      let manifest = report.manifest
      return ShowResult(
        artifact: manifest.name.text, version: UInt32(manifest.version), digest: report.digest.hex,
        previous: manifest.previous?.hex,
        publisher: .init(node: manifest.publisher.hex, alias: report.publisherAlias, isSelf: report.isOwn),
        created: manifest.created, note: manifest.note, bytes: manifest.totalBytes, chunk: UInt64(manifest.chunkBytes),
        files: manifest.files.map(ShowResult.File.init),
        folders: manifest.emptyFolders.isEmpty ? nil : manifest.emptyFolders.map(\.text),
        environment: manifest.environment.map(\.path.text),
        audience: report.audience, state: report.state.map(API.SourceState.init))
    }
  }

  func pull(_ request: PullRequest, replies: Replies) async throws -> PullResult {
    try await translating {
      guard request.from.isEmpty else {
        throw Failure(.usage, "pulling from several peers at once is not possible yet", hint: "leave out --from")
      }
      let asked = PullCommand(
        reference: request.artifact, directory: request.directory, only: request.only, conflict: request.conflict.rawValue,
        waitsForReadBack: request.verify)
      let summary: PullSummary
      do { summary = try await node.pull(asked) { replies.progress(Progress($0)) } } catch {
        throw await explained(error, of: asked)
      }
      let result = PullResult(summary)
      if let first = summary.unread.first {
        throw Failure(
          .partial,
          summary.unread.count == 1
            ? "a file is there and could not be read back: \(first)"
            : "\(summary.unread.count) files are there and could not be read back, among them: \(first)",
          hint: "pawl check \(result.artifact) --read-data tries again", placed: result)
      }
      guard result.skipped.isEmpty else {
        let count = result.skipped.count
        throw Failure(
          .conflict,
          "\(count == 1 ? "a different file is" : "\(count) different files are") there already: \(result.skipped.prefix(3).joined(separator: ", "))",
          hint: "pull with --conflict overwrite or --conflict rename", placed: result)
      }
      return result
    }
  }

  func check(_ request: CheckRequest, replies: Replies) async throws -> CheckResult {
    try await translating {
      let entries = try await node.check(request.artifact, readData: request.readData) { done, total in
        replies.progress(Progress(phase: .reading, bytes: done, bytesTotal: total))
      }
      let result = CheckResult(files: entries.map(CheckResult.File.init))
      guard result.wrong == 0 else {
        throw Failure(
          .integrity,
          result.files.count == 1
            ? "the file is not what it should be"
            : "\(result.wrong) of \(result.files.count) files \(result.wrong == 1 ? "is" : "are") not what they should be",
          hint: CheckHint.text(result),
          checked: result)
      }
      return result
    }
  }
}

extension AudienceRule {
  init(_ scope: AudienceScope) {
    self =
      switch scope {
      case .inherited: .inherited
      case .onlyThis: .onlyThis
      case .allVersions: .allVersions
      }
  }
}

extension API.SourceState {
  init(_ state: Store.SourceState) {
    self =
      switch state {
      case .current: .current
      case .damaged, .changed: .changed
      case .gone: .gone
      }
  }
}

extension FileEntry {
  init(_ file: FileSummary) {
    self.init(path: file.path, artifactPath: file.artifactPath, size: file.sizeBytes, sha256: file.sha256)
  }
}

extension PullResult {
  init(_ pull: PullSummary) {
    self.init(
      artifact: pull.name, version: UInt32(clamping: pull.version), digest: pull.digest, path: pull.path,
      files: pull.files.map(FileEntry.init), bytes: pull.bytes, bytesTransferred: pull.bytesTransferred,
      seconds: pull.seconds, sources: pull.sources,
      readBack: pull.isReadBack ? .verified : pull.unread.isEmpty ? .pending : .incomplete, skipped: pull.skipped,
      warnings: pull.warnings)
  }
}

extension Progress {
  init(_ progress: PullProgress) {
    let phase: Phase =
      switch progress.phase {
      case .asking: .asking
      case .waiting: .waiting
      case .examining: .examining
      case .fetching: .fetching
      case .placing: .placing
      case .reading: .reading
      }
    self.init(
      phase: phase, file: progress.file, filesDone: progress.filesDone, filesTotal: progress.filesTotal,
      bytes: progress.bytes, bytesTotal: progress.bytesTotal, bytesResumed: progress.bytesResumed,
      bytesPerSecond: progress.bytesPerSecond, source: progress.source, route: progress.source == nil ? nil : "direct")
  }
}

extension ShowResult.File {
  init(_ file: ManifestFile) {
    self.init(
      path: file.path.text, size: file.sizeBytes, kind: file.kind.rawValue, sha256: file.sha256.hex,
      executable: file.mode == .executable, tensors: file.format.map(ShowResult.Tensors.init))
  }
}

extension ShowResult.Tensors {
  init(_ facts: FormatFacts) {
    self.init(
      dtypes: Dictionary(facts.dtypes.map { ($0.name, $0.tensors) }, uniquingKeysWith: +), tensors: facts.tensors,
      parameters: facts.parameters, trainingMetadata: facts.hasKohyaMetadata, malformed: facts.isMalformed)
  }
}

extension CheckResult.File {
  init(_ entry: CheckEntry) {
    let state: CheckResult.State =
      switch entry.state {
      case .verified: .verified
      case .unread: .unread
      case .pending: .pending
      case .changed: .changed
      case .missing: .missing
      case .mismatch: .mismatch
      case .unreadable: .unreadable
      }
    self.init(
      artifact: entry.name, version: UInt32(clamping: entry.version), publisher: entry.publisher, path: entry.path,
      size: entry.sizeBytes, sha256: entry.sha256, state: state)
  }
}
