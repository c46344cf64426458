import Foundation
import Testing

@testable import API

/// Results with so many entries that they are written and read in portions.
@Suite struct LongLineTests {
  private func pull(files count: Int) -> PullResult {
    let hash = String(repeating: "ab", count: 32)
    var files: [FileEntry] = []
    for index in 0..<count {
      let path = #"a "quoted" \],[ \#(index) é"# + "\u{202E}"
      files.append(
        FileEntry(
          path: path, artifactPath: index % 3 == 0 ? "x" : nil, size: UInt64(index), sha256: index % 2 == 0 ? hash : nil))
    }
    return PullResult(
      artifact: #""files":[]"#, version: 3, digest: "d1", path: "/models/lora", files: files, bytes: 11, bytesTransferred: 6,
      seconds: 0.5, sources: ["studio"], readBack: .pending, skipped: ["files", "[]"], warnings: ["w"])
  }

  @Test(arguments: [0, 1, 511, 512, 513, 1_024, 5_000])
  func aListInPortionsIsTheSameLineAndTheSameResult(_ files: Int) throws {
    let result = pull(files: files)
    let line = try Lines.result(result)
    // As one encoder would have written it.
    let plain = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
    #expect((plain?["files"] as? [Any])?.count == files)
    #expect(line.count(where: { $0 == 10 }) == 1 && line.last == 10)
    #expect(try Lines.readReply(Array(line.dropLast()), as: PullResult.self) == .result(result))
    let failure = Failure(.conflict, "m", hint: "h", placed: result)
    #expect(try Lines.readReply(Array(Lines.failure(failure).dropLast()), as: PullResult.self) == .failure(failure))
    // The status has no list, and fails with one all the same.
    #expect(try Lines.readReply(Array(Lines.failure(failure).dropLast()), as: IdentityResult.self) == .failure(failure))
  }

  @Test func everyResultWithAListSurvivesItsLine() throws {
    let hash = String(repeating: "0f", count: 32)
    func check<Body: ResultBody>(_ body: Body) throws {
      let line = try Lines.result(body)
      #expect(line.count > LongLine.fromBytes)
      #expect(try Lines.readReply(Array(line.dropLast()), as: Body.self) == .result(body))
    }
    try check(
      ShowResult(
        artifact: "lora", version: 1, digest: "d", publisher: .init(node: "n", alias: nil), created: 1, note: "", bytes: 1,
        chunk: 1,
        files: (0..<3_000).map {
          ShowResult.File(
            path: "f\($0)", size: 1, kind: "safetensors", sha256: hash,
            tensors: $0 % 2 == 0 ? .init(dtypes: ["F16": 2], tensors: 2, parameters: 9) : nil)
        }))
    try check(
      ShareResult(
        artifact: "lora", version: 1, digest: "d", files: (0..<3_000).map { FileEntry(path: "f\($0)", size: 1, sha256: hash) },
        bytes: 1, audience: []))
    try check(
      CheckResult(
        files: (0..<3_000).map {
          CheckResult.File(artifact: "lora", version: 1, path: "/f\($0)", size: 1, sha256: hash, state: .verified)
        }))
    try check(
      ListResult(
        peer: nil,
        artifacts: (0..<3_000).map {
          ArtifactSummary(
            artifact: "lora\($0)", version: 1, digest: hash, files: 1, bytes: 1, created: 1, note: "", audience: [])
        }))
  }

  /// What counts is how much is in memory at once.
  @Test func piecesStaySmallHoweverManyEntriesThereAre() throws {
    let pieces = try Lines.pieces(pull(files: 5_000))
    let sizes = pieces.map(\.count)
    #expect(sizes.count == 12 && sizes.max()! < 128 << 10, "\(sizes)")
  }

  @Test func aListCanBeLeftOut() throws {
    let result = pull(files: 5_000)
    guard case .result(let short) = try Lines.readReply(Lines.result(result), as: PullResult.self, withLists: false) else {
      Issue.record("it is a result")
      return
    }
    #expect(short.files.isEmpty && short.warnings == ["w"])
  }

  @Test func aDamagedLongLineIsAFailureAndNoTrap() throws {
    let line = Array(try Lines.result(pull(files: 5_000)).dropLast())
    for cut in [line.count - 1, line.count / 2, line.count - 60] {
      #expect(throws: Failure.self) { try Lines.readReply(Array(line[..<cut]), as: PullResult.self) }
    }
    var changed = line
    changed[line.count / 2] = UInt8(ascii: "\"")
    #expect(throws: Failure.self) { try Lines.readReply(changed, as: PullResult.self) }
  }

  @Test func aLongLineComesOutWholeWhateverStandsAroundIt() throws {
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: 2 << 20)
    for (before, after) in [("", ""), ("a\n", ""), ("", "b\n"), ("a\n", "b\n")] {
      var decoder = LineDecoder(maximumBytes: 4 << 20)
      decoder.append(Array(before.utf8) + long + Array("\r\n".utf8) + Array(after.utf8))
      var lines: [Int] = []
      while let line = try decoder.next() { lines.append(line.count) }
      #expect(lines == (before.isEmpty ? [] : [1]) + [long.count] + (after.isEmpty ? [] : [1]))
      #expect(decoder.pendingBytes == 0)
      decoder.append(Array("end\n".utf8))
      #expect(try decoder.next() == Array("end".utf8))
    }
    var strict = LineDecoder(maximumBytes: 1 << 20)
    strict.append(long + [10])
    #expect(throws: LineDecoder.TooLong.self) { try strict.next() }
  }
}
