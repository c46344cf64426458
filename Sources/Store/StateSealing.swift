internal import GRDB
internal import Primitives
internal import Session

/// Seals the secret columns anew, all of them or, where the transaction fails, none.
enum StateSealing {
  /// From one key to another; with no old key, from what earlier versions stored unsealed.
  static func reseal(_ db: GRDB.Database, from old: StateKey?, to new: StateKey) throws {
    let sessions = try db.rows("SELECT peer, id, state FROM session") { row in
      (peer: try row.node("peer"), id: try row.session("id"), bytes: row.bytes("state"))
    }
    for row in sessions {
      let sealed = try SecretPlace.session(row.id, of: row.peer).reseal(row.bytes, from: old, to: new)
      try db.run(
        "UPDATE session SET state = ? WHERE peer = ? AND id = ?", [sealed.column, row.peer.column, row.id.bytes.column])
    }
    let pairs = try db.rows("SELECT peer, id, bytes FROM pair") { row in
      (peer: try row.node("peer"), id: try row.number("id"), bytes: row.bytes("bytes"))
    }
    for row in pairs {
      let sealed = try SecretPlace.pair(row.id, of: row.peer).reseal(row.bytes, from: old, to: new)
      try db.run("UPDATE pair SET bytes = ? WHERE peer = ? AND id = ?", [sealed.column, row.peer.column, row.id])
    }
    let prekeys = try db.rows("SELECT id, bytes FROM prekey") { row in (id: try row.number("id"), bytes: row.bytes("bytes")) }
    for row in prekeys {
      let sealed = try SecretPlace.prekeys(row.id).reseal(row.bytes, from: old, to: new)
      try db.run("UPDATE prekey SET bytes = ? WHERE id = ?", [sealed.column, row.id])
    }
  }
}
