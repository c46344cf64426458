public import Artifact
internal import GRDB
public import Primitives
public import Session

// What a listing costs follows from its length alone, whatever else is shared and however long manifests are: every query
// seeks in an index to where the page begins, and reads rows that end before any manifest does.

extension Database {
  /// How many versions are shared.
  public func offeredCount() throws(StoreError) -> Int {
    try read { db in try db.row("SELECT count(*) AS count FROM offered") { $0.int("count") } ?? 0 }
  }

  /// The versions after a position, at most so many, each with its audience.
  public func offered(
    after position: VersionPosition, limit: Int
  ) throws(StoreError) -> [(version: OfferedVersion, audience: Audience)] {
    try read { db in
      let versions = try db.rows(
        "SELECT * FROM offered WHERE (name, version) > (?, ?) ORDER BY name, version LIMIT ?",
        [position.name, position.version, limit]
      ) { try OfferedVersion($0) }
      return try versions.map { ($0, try Audience(db, $0.name, $0.version)) }
    }
  }

  /// The versions of a name, or one of them, lowest first.
  public func offered(name: String, version: ArtifactVersion?) throws(StoreError) -> [OfferedVersion] {
    try read { db in
      try db.rows(
        "SELECT * FROM offered WHERE name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version", [name, version]
      ) { try OfferedVersion($0) }
    }
  }

  /// Records what was found of a version's sources. Does nothing for one that is not shared.
  public func setSourceState(_ digest: Digest, _ state: SourceState) throws(StoreError) {
    try write { db in
      try db.run("UPDATE offered SET state = ?2 WHERE digest = ?1 AND state <> ?2", [digest.column, state.rawValue])
    }
  }

  // MARK: What a peer may see

  /// The versions that a peer may see after a position. Ends after `limit` of them, or with the one whose note makes the notes
  /// longer than `noteBytes`. Empty for a peer that is unknown or blocked.
  public func visible(
    to peer: NodeID, after position: VersionPosition, limit: Int, noteBytes: Int
  ) throws(StoreError) -> [OfferedVersion] {
    try read { db in
      guard try Self.isAdmitted(db, peer) else { return [] }
      var own = try OfferedCursor(
        db,
        """
        SELECT offered.* FROM audience CROSS JOIN offered USING (name, version)
        WHERE audience.peer = ? AND (audience.name, audience.version) > (?, ?) ORDER BY audience.name, audience.version
        """, [peer.column, position.name, position.version])
      var common = try OfferedCursor(
        db,
        """
        SELECT offered.* FROM audience_all CROSS JOIN offered USING (name, version)
        WHERE (audience_all.name, audience_all.version) > (?, ?) ORDER BY audience_all.name, audience_all.version
        """, [position.name, position.version])
      var found: [OfferedVersion] = []
      var left = noteBytes
      while found.count < limit, left >= 0,
        let next = [own.next, common.next].compactMap(\.self).min(by: { $0.position < $1.position })
      {
        found.append(next)
        left -= next.note.utf8.count
        if own.next?.digest == next.digest { try own.advance() }
        if common.next?.digest == next.digest { try common.advance() }
      }
      return found
    }
  }

  /// One version of a name, or the highest that a peer may see; nil says the same for "not yours" and "not there".
  public func visible(name: String, version: ArtifactVersion?, to peer: NodeID) throws(StoreError) -> OfferedVersion? {
    try read { db in
      guard try Self.isAdmitted(db, peer) else { return nil }
      let highest = version ?? .max
      let own = try db.row(
        "SELECT version FROM audience WHERE peer = ? AND name = ? AND version <= ? ORDER BY version DESC LIMIT 1",
        [peer.column, name, highest]
      ) { try $0.version("version") }
      let common = try db.row(
        "SELECT version FROM audience_all WHERE name = ? AND version <= ? ORDER BY version DESC LIMIT 1", [name, highest]
      ) { try $0.version("version") }
      guard let found = [own, common].compactMap(\.self).max(), version == nil || version == found else { return nil }
      return try db.row("SELECT * FROM offered WHERE name = ? AND version = ?", [name, found]) { try OfferedVersion($0) }
    }
  }

  /// Whether a peer may have an artifact.
  public func isVisible(_ digest: Digest, to peer: NodeID) throws(StoreError) -> Bool {
    try read { db in
      guard try Self.isAdmitted(db, peer) else { return false }
      return try db.row(
        """
        SELECT 1 FROM offered WHERE digest = ?2
        AND (EXISTS (SELECT 1 FROM audience WHERE peer = ?1 AND name = offered.name AND version = offered.version)
          OR EXISTS (SELECT 1 FROM audience_all WHERE name = offered.name AND version = offered.version))
        """, [peer.column, digest.column]
      ) { _ in true } ?? false
    }
  }

  private static func isAdmitted(_ db: GRDB.Database, _ peer: NodeID) throws -> Bool {
    try db.row("SELECT 1 FROM peer WHERE id = ? AND NOT blocked", [peer.column]) { _ in true } ?? false
  }
}

/// Versions in the order of a listing, read one by one: a page takes as many as fit, and no more are looked up.
private struct OfferedCursor {
  private let rows: RowCursor
  private(set) var next: OfferedVersion?

  init(_ db: GRDB.Database, _ sql: String, _ arguments: StatementArguments) throws {
    rows = try Row.fetchCursor(try db.cachedStatement(sql: sql), arguments: arguments)
    try advance()
  }

  mutating func advance() throws {
    next = try rows.next().map { try OfferedVersion(RowReader(row: $0)) }
  }
}

extension OfferedVersion {
  init(_ row: RowReader) throws {
    guard let state = SourceState(rawValue: row.text("state")) else { throw row.bad("state") }
    self.init(
      name: row.text("name"), version: try row.version("version"), digest: try row.digest("digest"), files: row.int("files"),
      sizeBytes: row.unsigned("bytes"), created: row.unsigned("created"), note: row.text("note"),
      root: row.text("root"), state: state)
  }
}
