import Foundation
import GRDB
import Testing

@testable import Store

@Suite struct ColumnsTests {
  private func table() throws -> DatabaseQueue {
    let queue = try DatabaseQueue()
    try queue.write { db in try db.execute(sql: "CREATE TABLE list (number INTEGER PRIMARY KEY, bytes BLOB)") }
    return queue
  }

  @Test func aStatementThatRanHoldsNoArguments() throws {
    let sql = "INSERT INTO list (bytes) VALUES (?)"
    try table().write { db in
      try db.run(sql, [Data(count: 1 << 20)])
      #expect(try db.cachedStatement(sql: sql).arguments.isEmpty)
      // It takes new ones.
      try db.run(sql, [Data([7])])
      #expect(try db.rows("SELECT bytes FROM list ORDER BY number") { $0.bytes("bytes") } == [zeros, [7]])
    }
  }

  @Test func bytesComeAsTheyLie() throws {
    try table().write { db in
      for bytes in [Data([1, 2, 3]), Data(), nil] as [Data?] { try db.run("INSERT INTO list (bytes) VALUES (?)", [bytes]) }
      #expect(try db.row("SELECT * FROM list WHERE number = ?", [1]) { $0.bytes("bytes") } == [1, 2, 3])
      #expect(try db.row("SELECT * FROM list WHERE number = ?", [2]) { $0.optionalBytes("bytes") } == [UInt8]())
      #expect(try db.rows("SELECT * FROM list WHERE number = ?", [3]) { $0.optionalBytes("bytes") } == [nil])
      #expect(try db.row("SELECT * FROM list WHERE number = ?", [4]) { $0.bytes("bytes") } == nil)
      // The statement is free again though its row was not its last.
      #expect(try db.row("SELECT * FROM list ORDER BY number") { $0.int("number") } == 1)
      #expect(try db.row("SELECT * FROM list ORDER BY number") { $0.int("number") } == 1)
    }
  }

  private var zeros: [UInt8] { [UInt8](repeating: 0, count: 1 << 20) }
}
