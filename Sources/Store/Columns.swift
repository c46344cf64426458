internal import FoundationEssentials
internal import GRDB
internal import Primitives
internal import Session

// How our types lie in columns: fixed bytes as blobs, unsigned numbers by their bits.

extension [UInt8] {
  var column: Data { Data(self) }
}

extension NodeID {
  var column: Data { Data(bytes) }
}

extension Digest {
  var column: Data { Data(bytes) }
}

extension UInt64 {
  var column: Int64 { Int64(bitPattern: self) }
}

/// Reads one row's columns, and says `badRecord` for one that does not hold what it must.
struct RowReader {
  let row: Row

  func bytes(_ name: String) -> [UInt8] { optionalBytes(name) ?? [] }
  /// Copied once, from SQLite's own memory: a manifest has tens of megabytes.
  func optionalBytes(_ name: String) -> [UInt8]? {
    (try? row.withUnsafeData(named: name) { $0.map { [UInt8]($0) } }) ?? nil
  }
  func text(_ name: String) -> String { row[name] }
  func optionalText(_ name: String) -> String? { row[name] }
  func flag(_ name: String) -> Bool { row[name] }
  func int(_ name: String) -> Int { row[name] }
  func int64(_ name: String) -> Int64 { row[name] }
  func unsigned(_ name: String) -> UInt64 { UInt64(bitPattern: row[name] as Int64) }
  func optionalUnsigned(_ name: String) -> UInt64? { (row[name] as Int64?).map(UInt64.init(bitPattern:)) }

  func node(_ name: String) throws(StoreError) -> NodeID {
    guard let id = NodeID(bytes(name)) else { throw bad(name) }
    return id
  }

  func optionalNode(_ name: String) throws(StoreError) -> NodeID? {
    (row[name] as Data?) == nil ? nil : try node(name)
  }

  func digest(_ name: String) throws(StoreError) -> Digest {
    guard let digest = try? Digest(bytes(name)) else { throw bad(name) }
    return digest
  }

  func optionalDigest(_ name: String) throws(StoreError) -> Digest? {
    (row[name] as Data?) == nil ? nil : try digest(name)
  }

  func bad(_ name: String) -> StoreError { StoreError(.badRecord, detail: "the column \(name) of a stored record is damaged") }
}

extension GRDB.Database {
  /// A statement that is compiled once. It forgets its arguments: a manifest in one would stay in memory until the statement runs
  /// again.
  func run(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
    let statement = try cachedStatement(sql: sql)
    try statement.execute(arguments: arguments)
    statement.setUncheckedArguments(StatementArguments())
  }

  func rows<T>(
    _ sql: String, _ arguments: StatementArguments = StatementArguments(), _ body: (RowReader) throws -> T
  ) throws -> [T] {
    let cursor = try Row.fetchCursor(try cachedStatement(sql: sql), arguments: arguments)
    var result: [T] = []
    while let row = try cursor.next() { result.append(try body(RowReader(row: row))) }
    return result
  }

  func row<T>(
    _ sql: String, _ arguments: StatementArguments = StatementArguments(), _ body: (RowReader) throws -> T
  ) throws -> T? {
    // Not `fetchOne`, which copies the whole row. The row is the cursor's, and goes with it.
    let cursor = try Row.fetchCursor(try cachedStatement(sql: sql), arguments: arguments)
    return try withExtendedLifetime(cursor) { try cursor.next().map { try body(RowReader(row: $0)) } }
  }
}
