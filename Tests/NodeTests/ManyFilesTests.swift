import Artifact
import EventLoop
import Foundation
import HeapKeeper
import Primitives
import Testing
import Transfer

@testable import Node
@testable import Store

/// Artifacts of many small files.
@Suite(.timeLimit(.minutes(5))) struct ManyFilesTests {
  /// Reads the loop thread's own counter.
  private actor OnLoop {
    nonisolated let loop: EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    init(loop: EventLoop) { self.loop = loop }
    func released() -> UInt64 { heap_released_bytes() }
  }

  /// What the loop's thread released is a measure of what it had in its hands: it grows with the files of the pull, not with their
  /// square, whatever the machine is doing beside it.
  @Test(.enabled(if: heap_can_keep_released_memory() == 1)) func theLoopsWorkIsInProportionToThePullsFiles() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      func perFile(_ count: Int) async throws -> Double {
        for file in 0..<count { try house.file("out\(count)/\(file)", [UInt8(file & 0xFF), UInt8(file >> 8), 1]) }
        _ = try await studio.share("\(house.path)/out\(count)", to: ["laptop"])
        let before = await OnLoop(loop: laptop.loop).released()
        let pulled = try await laptop.pull("studio/out\(count)", into: "\(house.path)/in")
        let after = await OnLoop(loop: laptop.loop).released()
        #expect(pulled.files.count == count && pulled.isReadBack)
        return Double(after - before) / Double(count)
      }
      _ = try await perFile(10)
      let (few, many) = (try await perFile(300), try await perFile(1_200))
      #expect(many < few * 1.5, "\(few) bytes a file among 300, \(many) among 1,200")
    }
  }

  @Test func aResumedPullLooksAgainAtWhatItTookForGranted() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      for name in ["blocked", "changed", "gone", "new"] { try house.file("art/\(name)", pattern(1_000)) }
      let shared = try await studio.share("\(house.path)/art", to: ["laptop"])
      for name in ["changed", "gone"] { try house.file("in/art/\(name)", pattern(1_000)) }
      try house.file("in/art/blocked", [9])
      // A first attempt that came as far as its plan.
      let manifest = try await studio.node.show("art").manifest
      let target = try PullDestination(PullCommand(reference: "studio/art", directory: "\(house.path)/in"))
      let first = try await PullSite.prepare(
        manifest, digest: try await studio.node.show("art").digest, destination: target, transfer: .random(.system),
        peer: studio.node.id, context: laptop.node.context)
      #expect(first.plan.toFetch == [3])
      for name in ["blocked", "gone"] { try FileManager.default.removeItem(atPath: "\(house.path)/in/art/\(name)") }
      try house.file("in/art/changed", [7])
      let pulled = try await laptop.pull("studio/art", into: "\(house.path)/in")
      #expect(pulled.digest == shared.digest && pulled.bytesTransferred == 3_000)
      #expect(pulled.skipped == ["changed"] && pulled.isReadBack)
      #expect(pulled.files.map(\.path) == ["blocked", "gone", "new"])
      #expect(pulled.files.allSatisfy { $0.sha256 != nil })
      for name in ["blocked", "gone", "new"] { #expect(house.bytes("in/art/\(name)") == pattern(1_000)) }
      #expect(house.bytes("in/art/changed") == [7])
      #expect(try await laptop.node.report().transfers.isEmpty && house.tree("in").count == 5)
    }
  }

  @Test func aPickleAndAMalformedModelAreNamedByThePullThatPlacedThem() async throws {
    try await withHouse { house in
      let (studio, laptop) = (try await house.start("studio"), try await house.start("laptop"))
      try await house.pair(studio, laptop)
      try house.file("art/bad.safetensors", pattern(600))
      try house.file("art/notes.txt", Array("harmless".utf8))
      try house.file("art/old.ckpt", [0x80, 2, 0x2E])
      _ = try await studio.share("\(house.path)/art", to: ["laptop"])
      let pulled = try await laptop.pull("studio/art", into: "\(house.path)/in")
      #expect(pulled.warnings.count == 2)
      #expect(pulled.warnings[0].hasPrefix("bad.safetensors has a malformed"))
      #expect(pulled.warnings[1].hasPrefix("old.ckpt is a pickle"))
    }
  }

  /// A publisher's word can add a warning, and never take one away.
  @Test func whatAFileIsIsSeenHereWhateverItsPublisherSays() throws {
    let house = try House()
    defer { try? FileManager.default.removeItem(atPath: house.path) }
    func warnings(_ name: String, _ bytes: [UInt8], kind: FileKind, format: FormatFacts? = nil) throws -> [String] {
      let placed = PlacedFile(index: 0, path: try house.file(name, bytes), outcome: .placed, placedAs: nil)
      var findings = PlacedFindings()
      let hash = HashTree.emptyRoot
      findings.add(
        placed,
        ManifestFile(
          path: try SafePath(name), sizeBytes: UInt64(bytes.count), mode: .regular, kind: kind, sha256: hash, root: hash,
          format: format))
      return findings.warnings
    }
    let pickle: [UInt8] = [0x80, 4, 0x95, 1, 2, 3]
    #expect(try warnings("a.txt", pickle, kind: .text).count == 1)
    #expect(try warnings("b.txt", [1], kind: .pickle).count == 1)
    #expect(try warnings("c.txt", [1], kind: .text).isEmpty)
    let header = Array(#"{"w":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#.utf8)
    let good = [UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header + [0, 0, 0, 0]
    let facts = FormatFacts(dtypes: [], tensors: 0, parameters: 0)
    #expect(try warnings("d.safetensors", good, kind: .safetensors, format: facts).isEmpty)
    #expect(try warnings("e.safetensors", good, kind: .safetensors, format: .malformed).count == 1)
    #expect(try warnings("f.safetensors", Array(good.dropLast()), kind: .safetensors, format: facts).count == 1)
    #expect(try warnings("g.safetensors", pickle, kind: .other).count == 1)
    // A long header is read to its end.
    let long = Array(#"{"__metadata__":{"k":""#.utf8) + [UInt8](repeating: 97, count: 5_000) + Array(#""}}"#.utf8)
    let count = [UInt8(long.count & 0xFF), UInt8(long.count >> 8), 0, 0, 0, 0, 0, 0]
    #expect(try warnings("h.safetensors", count + long, kind: .safetensors, format: facts).isEmpty)
    #expect(try warnings("i.safetensors", count + long.dropLast() + [0], kind: .safetensors, format: facts).count == 1)
  }

  @Test func onlySoManyFilesAreNamed() throws {
    var findings = PlacedFindings()
    let hash = HashTree.emptyRoot
    for index in 0..<50 {
      findings.add(
        PlacedFile(index: index, path: "/nowhere/\(index)", outcome: .identical, placedAs: index == 0 ? "x (2)" : nil),
        ManifestFile(path: try SafePath("f\(index)"), sizeBytes: 1, mode: .regular, kind: .pytorch, sha256: hash, root: hash))
    }
    #expect(findings.warnings.count == PlacedFindings.namedFiles + 1)
    #expect(findings.warnings.first?.hasPrefix("x (2) is a pickle") == true)
    #expect(findings.warnings.last == "30 more files are pickles")
  }
}
