internal import Artifact
internal import EventLoop
internal import Primitives
internal import Store

/// How far the look at what is shared has come. It goes on where it ended, and begins again after the last version.
struct SourceLook {
  /// Versions that one `ls` looks at.
  static let versionsAtOnce = 256
  /// Files that one `ls` looks at.
  static let filesAtOnce = 4_096

  /// How long an `ls` waits for it.
  static let patience = Duration.seconds(1)

  /// The last version that was looked at whole.
  var position = VersionPosition.start
  /// Files of the version after it that were looked at.
  var files = 0
  /// The worst that was found of them.
  var worst = SourceState.current
  /// Each of them could be looked at.
  var isComplete = true
  /// Somebody is looking.
  var isBusy = false
}

extension Node {
  /// Looks at sizes and times of what is shared, as many files as fit an instant, and records which versions can no longer be
  /// served. Others are shown as they were found before: by an earlier look, by `check`, or when a peer asked for them.
  func lookAtSources() async throws {
    guard !sourceLook.isBusy else { return }
    sourceLook.isBusy = true
    defer { sourceLook.isBusy = false }
    var left = SourceLook.filesAtOnce
    var seen: Set<Digest> = []
    while left > 0, seen.count < SourceLook.versionsAtOnce {
      guard let version = try await context.database.offered(after: sourceLook.position, limit: 1).first?.version else {
        guard sourceLook.position != .start else { return }
        sourceLook.move(to: .start)
        continue
      }
      guard seen.insert(version.digest).inserted else { return }
      let files = try await context.database.publishedFiles(version.digest, from: sourceLook.files, limit: left)
      let found = try await context.threads.files.run { SourceFolder.look(root: version.root, files: files) }
      left -= max(1, files.count)
      if let state = sourceLook.note(found, count: files.count, of: version) {
        try await context.database.setSourceState(version.digest, state)
      }
    }
  }
}

extension SourceLook {
  /// Goes on after a position.
  fileprivate mutating func move(to position: VersionPosition) {
    self.position = position
    (files, worst, isComplete) = (0, .current, true)
  }

  /// Notes what was found of the next files of a version, and returns what is to be recorded of it, if that is news.
  fileprivate mutating func note(
    _ found: (worst: SourceState, isComplete: Bool), count: Int, of version: OfferedVersion
  ) -> SourceState? {
    files += count
    worst = max(worst, found.worst)
    isComplete = isComplete && found.isComplete
    let isWhole = files >= version.files || count == 0
    var news: SourceState? = worst == .current ? nil : worst
    // That a file has other contents was seen by reading it, which a look does not.
    if isWhole, isComplete, worst == .current, version.state != .damaged { news = .current }
    if isWhole { move(to: version.position) }
    return news == version.state ? nil : news
  }
}

extension PeerServer {
  /// What went wrong while a version was served is what `ls` shows of it, if it will not pass.
  func note(_ error: any Error, of digest: Digest) async {
    // A version that was withdrawn meanwhile is gone in another way, and has no state.
    guard let error = error as? StoreError, let state = SourceState(error) else { return }
    try? await context.database.setSourceState(digest, state)
  }
}
