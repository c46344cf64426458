public import Artifact
internal import FoundationEssentials
internal import GRDB
public import Primitives
internal import Session

extension Database {
  private static let columns = "digest, name, version, manifest, signature, root, is_folder, created, withdrawn"

  /// Publishes a version with its files and settles who may have it, in one transaction. Publishing the same manifest again
  /// brings a withdrawn one back and records where its files lie now. Throws `versionTaken` for other contents under the
  /// same name and version, `unknownPeer` for an audience that is not paired.
  ///
  /// - Returns: the versions whose audience the members were added to.
  @discardableResult
  public func publish(
    _ artifact: PublishedArtifact, note: String = "", files: [PublishedFile], audience: [Audience.Member],
    rule: AudienceRule = .inherited
  ) throws(StoreError) -> [ArtifactVersion] {
    try write { db in
      let other = try db.row(
        "SELECT digest FROM published WHERE name = ? AND version = ?", [artifact.name, artifact.version]
      ) { try $0.digest("digest") }
      if let other, other != artifact.digest {
        throw StoreError(.versionTaken, "\(artifact.name)@v\(artifact.version)", detail: "this version has other contents")
      }
      if other == nil {
        try db.run(
          "INSERT INTO published (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
          [
            artifact.digest.column, artifact.name, artifact.version, artifact.manifest.column, artifact.signature.column,
            artifact.root, artifact.isFolder, artifact.created.column,
          ])
      } else {
        // Not replaced: its audience hangs on the row.
        try db.run(
          "UPDATE published SET root = ?, is_folder = ?, withdrawn = 0 WHERE digest = ?",
          [artifact.root, artifact.isFolder, artifact.digest.column])
      }
      try db.run("DELETE FROM published_file WHERE digest = ?", [artifact.digest.column])
      for file in files {
        try db.run(
          "INSERT INTO published_file VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
          [
            artifact.digest.column, file.index, file.source, file.identity.device.column, file.identity.inode.column,
            file.identity.sizeBytes.column, file.identity.modifiedNanoseconds, file.leaves.column,
          ])
      }
      let isNew = try !OfferedVersion.offer(db, artifact, note: note, files: files)
      if isNew, rule != .onlyThis { try Audience.inherit(db, artifact.name, artifact.version) }
      var opened = [artifact.version]
      if rule == .allVersions {
        opened = try db.rows("SELECT version FROM offered WHERE name = ? ORDER BY version", [artifact.name]) {
          try $0.version("version")
        }
      }
      try Audience.widen(db, artifact.name, opened, audience)
      return opened
    }
  }

  /// One version of a name, or its highest; nil if it is not there or withdrawn.
  public func published(name: String, version: ArtifactVersion? = nil) throws(StoreError) -> PublishedArtifact? {
    try read { db in
      try db.row(
        """
        SELECT published.* FROM published WHERE digest =
        (SELECT digest FROM offered WHERE name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version DESC LIMIT 1)
        """, [name, version]
      ) { try PublishedArtifact($0) }
    }
  }

  /// The artifact with a digest; nil if it is not there or withdrawn.
  public func published(digest: Digest) throws(StoreError) -> PublishedArtifact? {
    try read { db in
      try db.row("SELECT * FROM published WHERE digest = ? AND NOT withdrawn", [digest.column]) { try PublishedArtifact($0) }
    }
  }

  /// The highest version that a name ever had, withdrawn or not: the next one is above it.
  public func latest(_ name: String) throws(StoreError) -> PublishedArtifact? {
    try read { db in
      try db.row("SELECT * FROM published WHERE name = ? ORDER BY version DESC LIMIT 1", [name]) { try PublishedArtifact($0) }
    }
  }

  /// An artifact's files by number, without their leaf lists unless asked for.
  public func publishedFiles(_ digest: Digest, withLeaves: Bool = false) throws(StoreError) -> [PublishedFile] {
    try read { db in
      let leaves = withLeaves ? "leaves" : "x'' AS leaves"
      return try db.rows(
        "SELECT number, source, device, inode, size, modified, \(leaves) FROM published_file WHERE digest = ? ORDER BY number",
        [digest.column]
      ) { try PublishedFile($0) }
    }
  }

  /// So many of an artifact's files from a number on, without their leaf lists.
  public func publishedFiles(_ digest: Digest, from number: Int, limit: Int) throws(StoreError) -> [PublishedFile] {
    try read { db in
      try db.rows(
        """
        SELECT number, source, device, inode, size, modified, x'' AS leaves FROM published_file
        WHERE digest = ? AND number >= ? ORDER BY number LIMIT ?
        """, [digest.column, number, limit]
      ) { try PublishedFile($0) }
    }
  }

  /// One file's leaf list, 32 bytes a chunk; nil if there is no such file.
  public func leafList(_ digest: Digest, file: Int) throws(StoreError) -> [UInt8]? {
    try read { db in
      try db.row("SELECT leaves FROM published_file WHERE digest = ? AND number = ?", [digest.column, file]) {
        $0.bytes("leaves")
      }
    }
  }

  /// Takes back one version, or all of a name; returns those that were. Their audiences go: sharing the name again begins with
  /// the audience of a version that is left, or with nobody.
  public func withdraw(name: String, version: ArtifactVersion?) throws(StoreError) -> [OfferedVersion] {
    try write { db in
      let condition = "name = ?1 AND (?2 IS NULL OR version = ?2)"
      let withdrawn = try db.rows("SELECT * FROM offered WHERE \(condition) ORDER BY version", [name, version]) {
        try OfferedVersion($0)
      }
      for each in withdrawn { try db.run("UPDATE published SET withdrawn = 1 WHERE digest = ?", [each.digest.column]) }
      try db.run("DELETE FROM offered WHERE \(condition)", [name, version])
      return withdrawn
    }
  }
}

extension OfferedVersion {
  /// Offers a version, or notes that it was shared again. Returns whether it was offered before.
  fileprivate static func offer(
    _ db: GRDB.Database, _ artifact: PublishedArtifact, note: String, files: [PublishedFile]
  ) throws -> Bool {
    try db.run("UPDATE offered SET state = 'current', root = ? WHERE digest = ?", [artifact.root, artifact.digest.column])
    guard db.changesCount == 0 else { return true }
    let bytes = files.reduce(UInt64(0)) { $0 &+ $1.identity.sizeBytes }
    try db.run(
      "INSERT INTO offered (name, version, digest, files, bytes, created, note, root) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      [
        artifact.name, artifact.version, artifact.digest.column, files.count, bytes.column, artifact.created.column, note,
        artifact.root,
      ])
    return false
  }
}

extension PublishedArtifact {
  fileprivate init(_ row: RowReader) throws {
    self.init(
      name: row.text("name"), version: try row.version("version"), digest: try row.digest("digest"),
      manifest: row.bytes("manifest"), signature: row.bytes("signature"), root: row.text("root"),
      isFolder: row.flag("is_folder"),
      created: row.unsigned("created"), isWithdrawn: row.flag("withdrawn"))
  }
}

extension PublishedFile {
  fileprivate init(_ row: RowReader) throws {
    self.init(
      index: row.int("number"), source: row.text("source"),
      identity: FileIdentity(
        device: row.unsigned("device"), inode: row.unsigned("inode"), sizeBytes: row.unsigned("size"),
        modifiedNanoseconds: row.int64("modified")),
      leaves: row.bytes("leaves"))
  }
}

extension RowReader {
  func version(_ name: String) throws(StoreError) -> ArtifactVersion {
    guard let version = ArtifactVersion(exactly: int64(name)) else { throw bad(name) }
    return version
  }
}
