public import Artifact
internal import GRDB
internal import Session

extension Database {
  /// Who may see and pull a version; nobody if it is not shared.
  public func audience(_ name: String, version: ArtifactVersion) throws(StoreError) -> Audience {
    try read { db in try Audience(db, name, version) }
  }

  /// Takes members out of the audience of one version, or of all versions of a name, in one transaction. A member `all` is
  /// taken out by itself: those who are named besides stay.
  public func cutAudience(
    _ name: String, version: ArtifactVersion?, _ members: [Audience.Member]
  ) throws(StoreError) -> AudienceCut {
    try write { db in
      let offered = try db.rows(
        "SELECT * FROM offered WHERE name = ?1 AND (?2 IS NULL OR version = ?2) ORDER BY version", [name, version]
      ) { try OfferedVersion($0) }
      guard !offered.isEmpty else { return .notOffered }
      let open = try offered.filter { try Audience.isForAll(db, name, $0.version) }.map(\.version)
      if !members.contains(.all), !open.isEmpty { return .forEveryone(open) }
      var cut: [OfferedVersion] = []
      for version in offered {
        var count = 0
        for member in members {
          switch member {
          case .all: try db.run("DELETE FROM audience_all WHERE name = ? AND version = ?", [name, version.version])
          case .peer(let id):
            try db.run("DELETE FROM audience WHERE peer = ? AND name = ? AND version = ?", [id.column, name, version.version])
          }
          count += db.changesCount
        }
        if count > 0 { cut.append(version) }
      }
      return cut.isEmpty ? .notMembers : .done(cut)
    }
  }
}

extension Audience {
  init(_ db: GRDB.Database, _ name: String, _ version: ArtifactVersion) throws {
    let peers = try db.rows("SELECT peer FROM audience WHERE name = ? AND version = ?", [name, version]) { try $0.node("peer") }
    self.init(isAll: try Self.isForAll(db, name, version), peers: Set(peers))
  }

  static func isForAll(_ db: GRDB.Database, _ name: String, _ version: ArtifactVersion) throws -> Bool {
    try db.row("SELECT 1 FROM audience_all WHERE name = ? AND version = ?", [name, version]) { _ in true } ?? false
  }

  /// Gives a version the audience of the one before it: the highest other version that is shared.
  static func inherit(_ db: GRDB.Database, _ name: String, _ version: ArtifactVersion) throws {
    let before = try db.row(
      "SELECT version FROM offered WHERE name = ? AND version <> ? ORDER BY version DESC LIMIT 1", [name, version]
    ) { try $0.version("version") }
    guard let before else { return }
    try db.run(
      "INSERT INTO audience SELECT peer, name, ?3 FROM audience WHERE name = ?1 AND version = ?2", [name, before, version])
    try db.run(
      "INSERT INTO audience_all SELECT name, ?3 FROM audience_all WHERE name = ?1 AND version = ?2", [name, before, version])
  }

  /// Adds members to the audience of versions. Throws `unknownPeer`.
  static func widen(_ db: GRDB.Database, _ name: String, _ versions: [ArtifactVersion], _ members: [Member]) throws {
    for member in members {
      if case .peer(let id) = member, try PeerRow.find(db, id) == nil { throw StoreError.unknownPeer(id.hex) }
      for version in versions {
        switch member {
        case .all: try db.run("INSERT OR IGNORE INTO audience_all VALUES (?, ?)", [name, version])
        case .peer(let id): try db.run("INSERT OR IGNORE INTO audience VALUES (?, ?, ?)", [id.column, name, version])
        }
      }
    }
  }
}
