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
  /// What to tell about this version.
  public var note: String
  /// How the version's audience comes about.
  public var rule: AudienceRule

  /// A request.
  public init(
    path: String, name: String? = nil, to: [String] = [], toAll: Bool = false, note: String = "",
    rule: AudienceRule = .inherited
  ) {
    self.path = path
    self.name = name
    self.to = to
    self.toAll = toAll
    self.note = note
    self.rule = rule
  }
}

/// A file as a result names it.
public struct FileSummary: Sendable {
  /// Path in the artifact. Unescaped.
  public let path: String
  /// Bytes.
  public let sizeBytes: UInt64
  /// SHA-256 in hex, computed on this machine; nil while that is still to come.
  public let sha256: String?
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
  /// Returning means that the manifest is signed and stored; throwing means that nothing was published.
  public func share(
    _ request: ShareCommand, progress: @escaping @Sendable (_ hashedBytes: Int, _ totalBytes: UInt64) -> Void
  ) async throws -> ShareSummary {
    var members: [Audience.Member] = request.toAll ? [.all] : []
    for alias in request.to {
      let peer = try await peer(alias: alias)
      if await peer.row.blocked { throw NodeError.identityChanged(await peer.row.alias) }
      members.append(.peer(peer.id))
    }
    guard request.note.utf8.count <= Manifest.maximumNoteBytes else {
      throw NodeError(.usage, "the note is longer than \(Manifest.maximumNoteBytes) bytes")
    }
    guard request.rule != .allVersions || !members.isEmpty else {
      throw NodeError(.usage, "--all-versions says what is opened, and nobody is named", hint: "name someone with --to")
    }
    let path = request.path
    let locations = locations
    let tree = try await context.threads.files.run {
      let tree = try SourceScanner.scan(path)
      try OwnSecrets(locations).refuse(in: tree)
      return tree
    }
    let name: ArtifactName
    do { name = try ArtifactName(request.name ?? tree.baseName) } catch {
      throw NodeError(
        .usage, error.reason, hint: "give \(request.name == nil ? "one" : "another") with --name")
    }
    let total = tree.files.reduce(UInt64(0)) { $0 + $1.identity.sizeBytes }
    let chunkBytes = try ChunkLayout.chunkBytes(forLargestFile: tree.largestFileBytes)
    let hashed = try await SourceScanner.hash(tree, chunkBytes: chunkBytes, pool: context.threads.files) { progress($0, total) }
    let (published, isNew, opened) = try await publish(
      name: name, note: request.note, chunkBytes: chunkBytes, tree: tree, hashed: hashed, members: members, rule: request.rule)
    let audience = try await context.database.audience(name.text, version: published.version)
    var aliases: [String] = []
    for id in audience.peers { aliases.append(await alias(of: id)) }
    context.logger.info("shared", metadata: ["artifact": "\(name.text)", "version": "\(published.version)", "new": "\(isNew)"])
    let warnings = hashed.filter { $0.facts.format?.isMalformed == true }.map {
      "\($0.file.path) has a malformed safetensors header"
    }
    return ShareSummary(
      name: name.text, version: UInt64(published.version), digest: published.digest.hex,
      files: hashed.map {
        FileSummary(path: $0.file.path.text, sizeBytes: $0.file.identity.sizeBytes, sha256: $0.facts.sha256.hex)
      },
      isNew: isNew, opened: opened.map { UInt64($0) }, audience: aliases.sorted(), isForAll: audience.isAll, warnings: warnings)
  }

  private func publish(
    name: ArtifactName, note: String, chunkBytes: Int, tree: ScannedTree, hashed: [HashedFile], members: [Audience.Member],
    rule: AudienceRule
  ) async throws -> (artifact: PublishedArtifact, isNew: Bool, opened: [ArtifactVersion]) {
    while true {
      let latest = try await context.database.latest(name.text)
      let previous = try latest.map { try Manifest(decoding: $0.manifest.span) }
      var builder = ManifestBuilder(name: name, chunkBytes: chunkBytes, isFolder: tree.isFolder)
      for file in hashed {
        builder.add(
          ManifestFile(
            path: file.file.path, sizeBytes: file.file.identity.sizeBytes,
            mode: file.file.isExecutable ? .executable : .regular, facts: file.facts))
      }
      let manifest = try builder.build(
        version: (previous?.version ?? 0) + 1, previous: latest?.digest, publisher: id.digest, created: context.now, note: note)
      let files = hashed.enumerated().map { index, file in file.published(index: index) }
      if let latest, let previous, previous.hasSameContents(as: manifest) {
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
          here, note: previous.note, files: files, audience: members, rule: rule)
        for server in servers.values { await server.forget(latest.digest) }
        return (here, latest.isWithdrawn, opened)
      }
      let bytes = try manifest.encoded()
      let signature = try context.identity.sign(kind: .manifest, body: bytes, crypto: context.crypto)
      let artifact = PublishedArtifact(
        name: name.text, version: manifest.version, digest: SHA256Hash.hash(bytes), manifest: bytes,
        signature: signature, root: tree.root, isFolder: tree.isFolder, created: manifest.created)
      let opened: [ArtifactVersion]
      do {
        opened = try await context.database.publish(artifact, note: note, files: files, audience: members, rule: rule)
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
