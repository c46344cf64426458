internal import Artifact
internal import EventLoop
internal import Primitives
internal import Session
internal import Store
internal import Transfer

/// Who may publish what: checks manifests and remembers them.
protocol PublisherBook: Sendable {
  /// Returning means: the bytes have the digest, the signature is the publisher's, the manifest keeps every rule, and the publisher
  /// has not shown this node another artifact under this name and version.
  func open(_ signed: SignedManifest, entry: CatalogEntry, explicitVersion: Bool) async throws -> Manifest
}

extension Node: PublisherBook {
  func open(_ signed: SignedManifest, entry: CatalogEntry, explicitVersion: Bool) async throws -> Manifest {
    let publisher = NodeID(entry.publisher)
    guard let record = peers[publisher]?.record ?? (publisher == id ? context.identity.record : nil) else {
      throw NodeError(
        .notAllowed, "\(entry.name) was published by a node that is not known here: \(publisher.hex.prefix(16))",
        hint: "pair with its publisher first")
    }
    if let peer = peers[publisher], await peer.row.blocked { throw NodeError.identityChanged(await peer.row.alias) }
    // A manifest may have 100,000 files: not on the loop.
    let manifest = try await context.threads.files.run {
      try signed.open(digest: entry.digest, publisher: entry.publisher) { body, signature in
        record.verify(kind: .manifest, body: body, signature: signature)
      }
    }
    defer { context.threads.heap.jobEnds(files: manifest.files.count) }
    guard manifest.name == entry.name, manifest.version == entry.version else {
      throw ArtifactError(.invalidManifest, "its name or version is not the one that was listed")
    }
    try await remember(manifest, digest: entry.digest, publisher: publisher, explicitVersion: explicitVersion)
    try await context.database.saveManifest(
      KnownManifest(
        digest: entry.digest, publisher: publisher, name: manifest.name.text, version: manifest.version,
        bytes: signed.bytes, signature: signed.signature))
    return manifest
  }

  private func remember(
    _ manifest: Manifest, digest: Digest, publisher: NodeID, explicitVersion: Bool
  ) async throws {
    let outcome = try await context.database.remember(
      publisher: publisher, name: manifest.name.text, version: manifest.version, digest: digest)
    switch outcome {
    case .new, .known: return
    case .lower(let highest):
      guard explicitVersion else {
        throw NodeError(
          .integrity,
          "\(await alias(of: publisher)) offers \(manifest.name)@v\(manifest.version), but had v\(highest.version) before",
          hint: "pull \(manifest.name)@v\(manifest.version) by its version if the older one is meant")
      }
    case .differs:
      throw NodeError(
        .integrity,
        "\(await alias(of: publisher)) has published two different artifacts as \(manifest.name)@v\(manifest.version)",
        hint: "ask its publisher what happened; nothing was fetched")
    }
  }
}
