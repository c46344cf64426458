public import Artifact
internal import FoundationEssentials
internal import GRDB
public import Primitives
public import Session

extension Database {
  private static let columns = "digest, name, version, manifest, signature, root, is_folder, created, withdrawn"

  /// Publishes a version with its files and widens the name's audience, in one transaction. Publishing the same manifest again
  /// brings a withdrawn one back and records where its files lie now. Throws `versionTaken` for other contents under the
  /// same name and version, `unknownPeer` for an audience that is not paired.
  public func publish(
    _ artifact: PublishedArtifact, files: [PublishedFile], audience: [Audience.Member]
  ) throws(StoreError) {
    try write { db in
      let other = try db.row(
        "SELECT digest FROM published WHERE name = ? AND version = ?", [artifact.name, artifact.version]
      ) { try $0.digest("digest") }
      if let other, other != artifact.digest {
        throw StoreError(.versionTaken, "\(artifact.name)@v\(artifact.version)", detail: "this version has other contents")
      }
      try db.run("DELETE FROM published WHERE digest = ?", [artifact.digest.column])
      try db.run(
        "INSERT INTO published (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
        [
          artifact.digest.column, artifact.name, artifact.version, artifact.manifest.column, artifact.signature.column,
          artifact.root, artifact.isFolder, artifact.created.column,
        ])
      for file in files {
        try db.run(
          "INSERT INTO published_file VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
          [
            artifact.digest.column, file.index, file.source, file.identity.device.column, file.identity.inode.column,
            file.identity.sizeBytes.column, file.identity.modifiedNanoseconds, file.leaves.column,
          ])
      }
      try Self.widen(db, artifact.name, audience)
    }
  }

  /// All that is published, by name and version; withdrawn ones too if asked for.
  public func published(includingWithdrawn: Bool = false) throws(StoreError) -> [PublishedArtifact] {
    try read { db in
      try db.rows("SELECT * FROM published WHERE withdrawn <= ? ORDER BY name, version", [includingWithdrawn]) {
        try PublishedArtifact($0)
      }
    }
  }

  /// One version of a name, or its highest; nil if it is not there or withdrawn.
  public func published(name: String, version: ArtifactVersion? = nil) throws(StoreError) -> PublishedArtifact? {
    try read { db in
      try db.row(
        """
        SELECT * FROM published WHERE name = ?1 AND NOT withdrawn AND (?2 IS NULL OR version = ?2)
        ORDER BY version DESC LIMIT 1
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

  /// One file's leaf list, 32 bytes a chunk; nil if there is no such file.
  public func leafList(_ digest: Digest, file: Int) throws(StoreError) -> [UInt8]? {
    try read { db in
      try db.row("SELECT leaves FROM published_file WHERE digest = ? AND number = ?", [digest.column, file]) {
        $0.bytes("leaves")
      }
    }
  }

  /// Takes back one version, or all of a name; returns those that were. With the last one the audience goes: sharing the name
  /// anew begins with nobody.
  public func withdraw(name: String, version: ArtifactVersion?) throws(StoreError) -> [PublishedArtifact] {
    try write { db in
      let condition = "name = ?1 AND (?2 IS NULL OR version = ?2) AND NOT withdrawn"
      let withdrawn = try db.rows("SELECT * FROM published WHERE \(condition) ORDER BY version", [name, version]) {
        try PublishedArtifact($0)
      }
      try db.run("UPDATE published SET withdrawn = 1 WHERE \(condition)", [name, version])
      if try db.row("SELECT 1 AS found FROM published WHERE name = ? AND NOT withdrawn", [name], { _ in true }) == nil {
        try db.run("DELETE FROM audience WHERE name = ?", [name])
        try db.run("DELETE FROM audience_all WHERE name = ?", [name])
      }
      return withdrawn
    }
  }

  /// Adds to a name's audience. Throws `unknownPeer`.
  public func widenAudience(_ name: String, _ members: [Audience.Member]) throws(StoreError) {
    try write { db in try Self.widen(db, name, members) }
  }

  /// Who may see and pull a name.
  public func audience(_ name: String) throws(StoreError) -> Audience {
    try read { db in
      let isAll = try db.row("SELECT 1 AS found FROM audience_all WHERE name = ?", [name]) { _ in true } ?? false
      let peers = try db.rows("SELECT peer FROM audience WHERE name = ?", [name]) { try $0.node("peer") }
      return Audience(isAll: isAll, peers: Set(peers))
    }
  }

  private static let isVisible = """
    NOT withdrawn AND EXISTS (SELECT 1 FROM peer WHERE id = ?1 AND NOT blocked)
    AND (name IN (SELECT name FROM audience_all) OR name IN (SELECT name FROM audience WHERE peer = ?1))
    """

  /// What a peer may see, by name and version. Empty for a peer that is unknown or blocked.
  public func visible(to peer: NodeID) throws(StoreError) -> [PublishedArtifact] {
    try read { db in
      try db.rows("SELECT * FROM published WHERE \(Self.isVisible) ORDER BY name, version", [peer.column]) {
        try PublishedArtifact($0)
      }
    }
  }

  /// One artifact if a peer may see it. Nil says the same for "not yours" and "not there".
  public func visible(_ digest: Digest, to peer: NodeID) throws(StoreError) -> PublishedArtifact? {
    try read { db in
      try db.row("SELECT * FROM published WHERE digest = ?2 AND \(Self.isVisible)", [peer.column, digest.column]) {
        try PublishedArtifact($0)
      }
    }
  }

  /// One version of a name, or the highest, if a peer may see it.
  public func visible(name: String, version: ArtifactVersion?, to peer: NodeID) throws(StoreError) -> PublishedArtifact? {
    try read { db in
      try db.row(
        """
        SELECT * FROM published WHERE name = ?2 AND (?3 IS NULL OR version = ?3) AND \(Self.isVisible)
        ORDER BY version DESC LIMIT 1
        """, [peer.column, name, version]
      ) { try PublishedArtifact($0) }
    }
  }

  private static func widen(_ db: GRDB.Database, _ name: String, _ members: [Audience.Member]) throws {
    for member in members {
      switch member {
      case .all: try db.run("INSERT OR IGNORE INTO audience_all VALUES (?)", [name])
      case .peer(let id):
        guard try PeerRow.find(db, id) != nil else { throw StoreError.unknownPeer(id.hex) }
        try db.run("INSERT OR IGNORE INTO audience VALUES (?, ?)", [name, id.column])
      }
    }
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
