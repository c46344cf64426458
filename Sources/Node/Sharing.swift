internal import Artifact
internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
public import Store

/// What `share` is asked to publish.
public struct ShareCommand: Sendable {
  /// Absolute path of a file or folder.
  public var path: String
  /// NAME; nil: the path's last component.
  public var name: String?
  /// Aliases of those who may pull it.
  public var to: [String]
  /// Every peer, now and later.
  public var toAll: Bool
  /// What to tell about this version; nil: nothing, and the note of contents that are published already stays.
  public var note: String?
  /// Links are followed where they lead to files of the folder itself or of its Hugging Face cache; otherwise they are refused.
  public var followsLinks: Bool
  /// `.git`, `.env` and the like are shared too.
  public var takesAll: Bool
  /// How the version's audience comes about.
  public var rule: AudienceRule

  /// A request.
  public init(
    path: String, name: String? = nil, to: [String] = [], toAll: Bool = false, note: String? = nil, followsLinks: Bool = false,
    takesAll: Bool = false, rule: AudienceRule = .inherited
  ) {
    self.path = path
    self.name = name
    self.to = to
    self.toAll = toAll
    self.note = note
    self.followsLinks = followsLinks
    self.takesAll = takesAll
    self.rule = rule
  }
}

/// A file as a result names it.
public struct FileSummary: Sendable {
  /// Path in the artifact; of a pulled file that had to take another name, where it is in the artifact's folder. Unescaped.
  public let path: String
  /// Its path in the artifact, where ``path`` is another.
  public var artifactPath: String?
  /// Bytes.
  public let sizeBytes: UInt64
  /// SHA-256 in hex, computed on this machine; nil while that is still to come.
  public let sha256: String?
}

/// A link that was followed.
public struct LinkSummary: Sendable {
  /// Its path in the artifact. Unescaped.
  public let path: String
  /// The absolute path of the file that is shared in its place, without links. Unescaped.
  public let target: String
}

/// What was published.
public struct ShareSummary: Sendable {
  /// NAME.
  public let name: String
  /// The version that now carries these contents.
  public let version: UInt64
  /// The artifact digest in hex.
  public let digest: String
  /// The files, by path.
  public let files: [FileSummary]
  /// Folders in which nothing is shared, by path.
  public let emptyFolders: [String]
  /// Links that were followed, by path.
  public let links: [LinkSummary]
  /// Paths that were left out because of their names: the first ones, and how many there are.
  public let leftOut: (paths: [String], count: Int)
  /// False if these very contents were the latest version already.
  public let isNew: Bool
  /// The versions that those who were named may pull because of this.
  public let opened: [UInt64]
  /// Who may pull it, by alias.
  public let audience: [String]
  /// Whether every peer may.
  public let isForAll: Bool
  /// What the user should know, a line each.
  public let warnings: [String]
}

extension Node {
  /// Publishes a file or folder as the next version of its name. The contents stay where they lie.
  ///
  /// Returning means that the manifest is signed and stored; throwing means that nothing was published. `progress` is told
  /// of the bytes that were hashed so far, never fewer than before, and in the end of all of them.
  public func share(
    _ request: ShareCommand, progress: @escaping @Sendable (_ hashedBytes: Int, _ totalBytes: UInt64) -> Void
  ) async throws -> ShareSummary {
    var members: [Audience.Member] = request.toAll ? [.all] : []
    for alias in request.to {
      let peer = try await peer(alias: alias)
      if await peer.row.blocked { throw NodeError.identityChanged(await peer.row.alias) }
      members.append(.peer(peer.id))
    }
    guard request.path.hasPrefix("/") else {
      throw NodeError(.usage, "the path to share is \(request.path.isEmpty ? "empty" : "not absolute")")
    }
    guard (request.note ?? "").utf8.count <= Manifest.maximumNoteBytes else {
      throw NodeError(
        .usage, "the note is longer than \(Manifest.maximumNoteBytes) bytes",
        hint: "put the text into a file beside the weights")
    }
    guard request.rule != .allVersions || !members.isEmpty else {
      throw NodeError(.usage, "--all-versions says what is opened, and nobody is named", hint: "name someone with --to")
    }
    let path = request.path
    let options = ScanOptions(followsLinks: request.followsLinks, takesAll: request.takesAll)
    let locations = locations
    let tree = try await context.threads.folders.run {
      let tree = try SourceScanner.scan(path, options: options)
      try OwnSecrets(locations).refuse(in: tree)
      return tree
    }
    defer { context.threads.heap.jobEnds(files: tree.files.count) }
    let name: ArtifactName
    do { name = try ArtifactName(request.name ?? tree.baseName) } catch {
      throw NodeError(
        .usage, error.reason, hint: "give \(request.name == nil ? "one" : "another") with --name")
    }
    let total = tree.files.reduce(UInt64(0)) { $0 + $1.identity.sizeBytes }
    let chunkBytes = try tree.chunkBytes()
    let done = Locked(0)
    let hashed = try await SourceScanner.hash(tree, chunkBytes: chunkBytes, pool: context.threads.hashing) { count in
      // Several threads hash: told under the lock, the sums come in their order.
      done.withLock { done in
        done += count
        progress(done, total)
      }
    }
    let (published, isNew, opened) = try await publish(
      name: name, note: request.note, chunkBytes: chunkBytes, tree: tree, hashed: hashed, members: members, rule: request.rule)
    let audience = try await context.database.audience(name.text, version: published.version)
    var aliases: [String] = []
    for id in audience.peers { aliases.append(await alias(of: id)) }
    context.logger.info("shared", metadata: ["artifact": "\(name.text)", "version": "\(published.version)", "new": "\(isNew)"])
    let (files, links, warnings) = try await context.threads.files.run {
      let files = hashed.map {
        FileSummary(path: $0.file.path.text, sizeBytes: $0.file.identity.sizeBytes, sha256: $0.facts.sha256.hex)
      }
      let links = tree.files.filter(\.isLink).map {
        LinkSummary(path: $0.path.text, target: SourceFolder.path(of: $0.source, root: tree.root))
      }
      let malformed = hashed.filter { $0.facts.format?.isMalformed == true }
      return (files, links, malformed.map { "\($0.file.path) has a malformed safetensors header" })
    }
    return ShareSummary(
      name: name.text, version: UInt64(published.version), digest: published.digest.hex,
      files: files, emptyFolders: tree.emptyFolders.map(\.text), links: links,
      leftOut: (tree.leftOut.paths, tree.leftOut.count), isNew: isNew, opened: opened.map { UInt64($0) },
      audience: aliases.sorted(), isForAll: audience.isAll, warnings: warnings)
  }

  private func publish(
    name: ArtifactName, note: String?, chunkBytes: Int, tree: ScannedTree, hashed: [HashedFile], members: [Audience.Member],
    rule: AudienceRule
  ) async throws -> (artifact: PublishedArtifact, isNew: Bool, opened: [ArtifactVersion]) {
    while true {
      let latest = try await context.database.latest(name.text)
      // A version that was withdrawn long ago keeps its number, and not its manifest.
      let past = try await context.database.pastVersion(name.text).flatMap { $0.version > latest?.version ?? 0 ? $0 : nil }
      // With 100,000 files each step of this takes longer than the loop may be kept.
      let draft = try await context.threads.hashing.run { [context, id] in
        try ShareDraft(
          name: name, note: note, chunkBytes: chunkBytes, tree: tree, hashed: hashed, latest: latest, past: past, publisher: id,
          context: context)
      }
      if let latest, draft.isUnchanged {
        guard latest.isWithdrawn || rule != .onlyThis else {
          throw NodeError(
            .usage, "\(latest.name)@v\(latest.version) has these very files, and --only-this is for a new version",
            hint: "`pawl unshare \(latest.name)@v\(latest.version) --from PEER` takes someone out of its audience")
        }
        // The same bytes, perhaps in another place or written anew: from now on they are read where they are now.
        let here = PublishedArtifact(
          name: latest.name, version: latest.version, digest: latest.digest, manifest: latest.manifest,
          signature: latest.signature, root: tree.root, isFolder: tree.isFolder, created: latest.created)
        let opened = try await context.database.publish(
          here, note: draft.note, files: draft.files, audience: members, rule: rule)
        for server in servers.values { await server.forget(latest.digest) }
        return (here, latest.isWithdrawn, opened)
      }
      let artifact = PublishedArtifact(
        name: name.text, version: draft.version, digest: draft.digest, manifest: draft.bytes,
        signature: draft.signature, root: tree.root, isFolder: tree.isFolder, created: draft.created)
      let opened: [ArtifactVersion]
      do {
        opened = try await context.database.publish(
          artifact, note: draft.note, files: draft.files, audience: members, rule: rule)
      } catch {
        // Somebody shared the same name at the same time: theirs is now the previous version.
        guard error.code == .versionTaken else { throw error }
        continue
      }
      return (artifact, true, opened)
    }
  }

  /// Parses `[PEER/]NAME[@vN]`, or says what is wrong with it.
  func read(reference text: String) throws -> ArtifactReference {
    do { return try ArtifactReference(text) } catch {
      throw NodeError(.usage, "“\(text)” names no artifact: \(error.reason)", hint: "write PEER/NAME or PEER/NAME@v3")
    }
  }
}
