import Foundation
import Testing

/// `Interop/vectors`: every case of every file, and that the files are what this source makes.
@Suite struct VectorTests {
  /// The environment variable with which `make vectors` has the files written.
  private static let isWriting = ProcessInfo.processInfo.environment["PAWL_WRITE_VECTORS"] == "1"

  @Test(.timeLimit(.minutes(5)))
  func makingTheVectorsAgainGivesTheSameBytes() throws {
    for file in try VectorKinds.makeAll() {
      if Self.isWriting { try file.write() }
      #expect(!file.cases.isEmpty, "\(file.name).json is without cases")
      #expect(VectorFile.bytes(file.name) == file.encoded, "\(file.name).json is out of date: `make vectors` writes it")
    }
  }

  @Test func everyFileHasItsCheckerAndEveryCheckerItsFile() throws {
    #expect(try VectorFile.names() == VectorKinds.all.map { $0.file }.sorted())
  }

  @Test(.timeLimit(.minutes(5)), arguments: VectorKinds.all.map { $0.file })
  func everyCaseComesOutAsItSays(file: String) throws {
    let kind = try #require(VectorKinds.all.first { $0.file == file })
    let cases = try VectorFile(file).cases
    #expect(!cases.isEmpty, "a file without cases")
    #expect(Set(try cases.map { try $0.text("name") }).count == cases.count, "two cases have one name")
    for vector in cases {
      let name = "\(file): \(try vector.text("name"))"
      let expected = try #require(FailureClass(rawValue: try vector.text("expect")), "\(name): an unknown class")
      do {
        try kind.check(vector)
        #expect(expected == .ok, "\(name): it passes")
      } catch let mismatch as Mismatch {
        Issue.record("\(name): \(mismatch)")
      } catch {
        let found = try #require(FailureClass(error), "\(name): \(error)")
        #expect(found == expected, "\(name)")
      }
    }
  }

  @Test func everyFileHoldsGoodCasesAndOnlyTheRecordNoBadOnes() throws {
    for name in try VectorFile.names() {
      let expected = try VectorFile(name).cases.map { try $0.text("expect") }
      #expect(expected.contains("ok"), "\(name): no good case")
      #expect(name == PrimitiveVectors.file || expected.contains { $0 != "ok" }, "\(name): no bad case")
    }
  }

  @Test func theDocumentListsEveryClassAndNoOther() throws {
    let text = try String(contentsOf: VectorFile.folder.appending(path: "README.md"), encoding: .utf8)
    let listed = text.matches(of: /\n\| `(\w+)` \|/).map { String($0.output.1) }
    #expect(listed == FailureClass.allCases.map(\.rawValue))
  }
}
