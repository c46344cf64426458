internal import Artifact
internal import FoundationEssentials
internal import GRDB

/// Fills the table that listings read from what an earlier program had published: each manifest is read once, here.
enum CatalogMigration {
  static func fill(_ db: GRDB.Database) throws {
    let digests = try Data.fetchAll(db, sql: "SELECT digest FROM published WHERE NOT withdrawn")
    for digest in digests {
      // One manifest at a time: each may take 32 MiB.
      let bytes = try Data.fetchOne(db, sql: "SELECT manifest FROM published WHERE digest = ?", arguments: [digest])
      let manifest = bytes.flatMap { try? Manifest(decoding: [UInt8]($0).span) }
      try db.execute(
        sql: """
          INSERT INTO offered (name, version, digest, files, bytes, created, note, root)
          SELECT name, version, digest, ?, ?, created, ?, root FROM published WHERE digest = ?
          """,
        arguments: [manifest?.files.count ?? 0, (manifest?.totalBytes ?? 0).column, manifest?.note ?? "", digest])
    }
  }
}
