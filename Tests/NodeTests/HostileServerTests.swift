import Artifact
import EventLoop
import Foundation
import Primitives
import Session
import Store
import Testing
import Transfer

@testable import Node

/// What a paired peer can do to who pulls from it: waste its time. It is named, and nothing of its lies is kept.
@Suite(.timeLimit(.minutes(5))) struct HostileServerTests {
  /// A victim, a liar that it is paired with, and a folder for what is pulled.
  private func withLiar(
    _ body: @Sendable (_ house: House, _ laptop: RunningNode, _ mallory: ForgedPeer) async throws -> Void
  ) async throws {
    try await withHouse { house in
      let laptop = try await house.start("laptop")
      let mallory = try await house.forge("mallory", at: laptop)
      try await laptop.ready(for: "mallory")
      try await body(house, laptop, mallory)
    }
  }

  /// Expects that a pull fails as a breach of integrity that names the liar, and that no file is there.
  private func expectRefusal(
    _ reference: String, by laptop: RunningNode, in house: House, naming alias: String = "mallory",
    code: NodeError.Code = .integrity, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let failure = try await nodeError(
      { _ = try await laptop.pull(reference, into: "\(house.path)/in") }, sourceLocation: sourceLocation)
    #expect(failure.code == code, "\(failure)", sourceLocation: sourceLocation)
    #expect(failure.message.contains(alias), "\(failure)", sourceLocation: sourceLocation)
    #expect(
      house.tree("in").allSatisfy { $0.hasPrefix(".pawl-") }, "\(house.tree("in"))", sourceLocation: sourceLocation)
  }

  @Test func whatIsTrueIsPulledFromAForgedPeerToo() async throws {
    try await withLiar { house, laptop, mallory in
      let files = [("a.bin", pattern(200_000)), ("sub/b.bin", pattern(70, seed: 9)), ("sub/empty", [])]
      await mallory.offer(try Offer("honest", files: files, by: mallory.identity))
      let summary = try await laptop.pull("mallory/honest", into: "\(house.path)/in")
      #expect(summary.isReadBack)
      for (path, bytes) in files { #expect(house.bytes("in/honest/\(path)") == bytes) }
    }
  }

  @Test func aWrongChunkUnderARightTagIsBlamedOnThePeerAndNeverAccepted() async throws {
    try await withLiar { house, laptop, mallory in
      var offer = try Offer("model", files: [("a.bin", pattern(300_000))], by: mallory.identity)
      offer.files[0][150_000] ^= 1
      await mallory.offer(offer)
      try await expectRefusal("mallory/model", by: laptop, in: house)
      // And a file of one chunk, which has no leaf list.
      var small = try Offer("small", files: [("s.bin", pattern(100))], by: mallory.identity)
      small.files[0][99] ^= 1
      await mallory.offer(small)
      try await expectRefusal("mallory/small", by: laptop, in: house)
    }
  }

  @Test func aWrongLeafListIsBlamedOnThePeer() async throws {
    try await withLiar { house, laptop, mallory in
      var offer = try Offer("model", files: [("a.bin", pattern(300_000))], by: mallory.identity)
      // Leaf and chunk agree with each other, and not with the manifest's root.
      offer.files[0][0] ^= 1
      let leaf = offer.files[0].prefix(ChunkLayout.minimumChunkBytes).withUnsafeBytes { HashTree.leaf($0) }
      offer.leaves[0].replaceSubrange(0..<32, with: leaf.bytes)
      await mallory.offer(offer)
      try await expectRefusal("mallory/model", by: laptop, in: house)
    }
  }

  @Test func aManifestThatItsPublisherDidNotSignIsRefused() async throws {
    try await withLiar { house, laptop, mallory in
      let files = [("a.bin", pattern(100))]
      let stranger = try Identity.generate(.system)
      await mallory.offer(try Offer("forged", files: files, by: mallory.identity, signedBy: stranger))
      try await expectRefusal("mallory/forged", by: laptop, in: house)
      // In the name of another peer of ours: that peer's key decides.
      let studio = try await house.start("studio")
      try await house.pair(studio, laptop)
      let record = try await laptop.node.peer(alias: "studio").record
      var offer = try Offer("framed", files: files, by: mallory.identity) {
        $0.replacingOccurrences(of: mallory.identity.id.hex, with: record.id.hex)
      }
      offer.entry = offer.entry.by(record.id)
      await mallory.offer(offer)
      try await expectRefusal("mallory/framed", by: laptop, in: house)
      // In the name of nobody that we know.
      await mallory.offer(try Offer("unknown", files: files, by: stranger))
      try await expectRefusal("mallory/unknown", by: laptop, in: house, naming: "not known here", code: .notAllowed)
    }
  }

  @Test func aManifestUnderAnotherDigestNameOrVersionIsRefused() async throws {
    try await withLiar { house, laptop, mallory in
      let files = [("a.bin", pattern(100))]
      var other = try Offer("digest", files: files, by: mallory.identity)
      other.entry = other.entry.with(digest: SHA256Hash.hash([1]))
      await mallory.offer(other)
      try await expectRefusal("mallory/digest", by: laptop, in: house)
      var renamed = try Offer("original", files: files, by: mallory.identity)
      renamed.entry = renamed.entry.with(name: "renamed")
      await mallory.offer(renamed)
      try await expectRefusal("mallory/renamed", by: laptop, in: house)
      var numbered = try Offer("numbered", version: 1, files: files, by: mallory.identity)
      numbered.entry = numbered.entry.with(version: 7)
      await mallory.offer(numbered)
      try await expectRefusal("mallory/numbered", by: laptop, in: house)
      var flipped = try Offer("flipped", files: files, by: mallory.identity)
      flipped.object[40] ^= 1
      await mallory.offer(flipped)
      try await expectRefusal("mallory/flipped", by: laptop, in: house)
      var cut = try Offer("cut", files: files, by: mallory.identity)
      cut.object.removeLast(10)
      await mallory.offer(cut)
      try await expectRefusal("mallory/cut", by: laptop, in: house)
    }
  }

  @Test func aManifestThatWouldWriteOutsideTheDestinationIsRefused() async throws {
    try await withLiar { house, laptop, mallory in
      let components = (0..<10_000).map { _ in "d" }.joined(separator: "/")
      let paths = [
        #"../escaped.bin"#, #"x/../../escaped.bin"#, #"/tmp/pawl-escaped.bin"#, #"./x"#, #"x//y"#, #"x/"#, #""#, #".."#,
        #"~\u0000x"#,
        #"x\u0000y"#, #"x\u001b[2Jy"#, #"x\ny"#, #"x\u007fy"#, #"..\\escaped"#, #".pawl-x"#, #"e\u0301"#, components,
        String(repeating: "n", count: 256),
      ]
      // The same with a harmless path comes in: what refuses the others is their path.
      await mallory.offer(
        try Offer("good", files: [("aaaa", pattern(10)), ("zzzz", pattern(10))], by: mallory.identity) {
          $0.replacingOccurrences(of: #""path":"aaaa""#, with: #""path":"x/y""#)
        })
      _ = try await laptop.pull("mallory/good", into: "\(house.path)/good")
      #expect(house.bytes("good/good/x/y") == pattern(10))
      let before = house.tree("").filter { !$0.hasPrefix("homes") && !$0.hasPrefix("in") }
      for (index, path) in paths.enumerated() {
        // Two files, so that each lies in the artifact's folder.
        let offer = try Offer("bad\(index)", files: [("aaaa", pattern(10)), ("zzzz", pattern(10))], by: mallory.identity) {
          $0.replacingOccurrences(of: #""path":"aaaa""#, with: #""path":"\#(path)""#)
        }
        await mallory.offer(offer)
        try await expectRefusal("mallory/bad\(index)", by: laptop, in: house)
      }
      #expect(house.tree("").filter { !$0.hasPrefix("homes") && !$0.hasPrefix("in") } == before)
    }
  }

  @Test func aManifestWithCollidingNamesOrDoubleKeysIsRefused() async throws {
    try await withLiar { house, laptop, mallory in
      let files = [("Aaaa", pattern(10)), ("zzzz", pattern(10, seed: 2))]
      let edits: [(String, String)] = [
        (#""path":"zzzz""#, #""path":"aaaa""#), (#""path":"zzzz""#, #""path":"Aaaa""#),
        (#""path":"zzzz""#, #""path":"Aaaa/x""#),
        (#""path":"Aaaa""#, #""path":"zzzzz""#), (#""note":"""#, #""note":"","note":"""#),
        (#""note":"""#, #""note":"","n\u006fte":"""#),
        (#""note":"""#, #""note":"","evil":1"#), (#""schema""#, "\u{FEFF}\"schema\""), (#""size":10"#, #""size":-10"#),
        (#""size":10"#, #""size":1e1"#), (#""size":10"#, #""size":9007199254740993"#), (#""chunk":65536"#, #""chunk":65537"#),
        (#""chunk":65536"#, #""chunk":1"#), (#""mode":420"#, #""mode":2541"#),
      ]
      for (index, edit) in edits.enumerated() {
        await mallory.offer(
          try Offer("bad\(index)", files: files, by: mallory.identity) { $0.replacingOccurrences(of: edit.0, with: edit.1) })
        try await expectRefusal("mallory/bad\(index)", by: laptop, in: house)
      }
    }
  }

  @Test func aFalseHashClaimIsCaughtByReadingBackAndItsPublisherIsNamed() async throws {
    try await withLiar { house, laptop, mallory in
      let bytes = pattern(100_000)
      let claim = SHA256Hash.hash([7]).hex
      let offer = try Offer("model", files: [("a.bin", bytes)], by: mallory.identity) {
        $0.replacingOccurrences(of: SHA256Hash.hash(bytes).hex, with: claim)
      }
      await mallory.offer(offer)
      let failure = try await nodeError { _ = try await laptop.pull("mallory/model", into: "\(house.path)/in") }
      #expect(failure.code == .integrity)
      #expect(failure.message.hasPrefix("mallory claims"))
      #expect(house.bytes("in/a.bin") == nil)
      #expect(house.tree("in") == [".pawl-quarantined-a.bin"])
      let entries = try await laptop.node.check("model", readData: false) { _, _ in }
      #expect(entries.map(\.state) == [.mismatch])
      #expect(entries.allSatisfy { $0.sha256 == nil })
    }
  }

  @Test func oneVersionWithTwoContentsIsAnErrorThatNamesThePublisher() async throws {
    try await withLiar { house, laptop, mallory in
      await mallory.offer(try Offer("model", files: [("a.bin", pattern(100))], by: mallory.identity))
      _ = try await laptop.pull("mallory/model", into: "\(house.path)/first")
      await mallory.offer(try Offer("model", files: [("a.bin", pattern(100, seed: 1))], by: mallory.identity))
      try await expectRefusal("mallory/model", by: laptop, in: house)
      try await expectRefusal("mallory/model@v1", by: laptop, in: house)
    }
  }

  @Test func anOlderVersionThanBeforeNeedsToBeNamed() async throws {
    try await withLiar { house, laptop, mallory in
      let old = try Offer("model", version: 1, files: [("a.bin", pattern(100))], by: mallory.identity)
      await mallory.offer(try Offer("model", version: 2, files: [("a.bin", pattern(100, seed: 1))], by: mallory.identity))
      _ = try await laptop.pull("mallory/model", into: "\(house.path)/first")
      await mallory.offer(old)
      try await expectRefusal("mallory/model", by: laptop, in: house)
      _ = try await laptop.pull("mallory/model@v1", into: "\(house.path)/in")
      #expect(house.bytes("in/a.bin") == pattern(100))
    }
  }

  @Test func nonsenseFromAPeerEndsNoProcessAndNoSession() async throws {
    try await withLiar { house, laptop, mallory in
      for payload in [
        #"{"type":"want"}"#, #"{"type":"grant","req":1}"#, #"{"type":"nobody knows"}"#,
        #"{"type":"hello","name":"\u001b[2J","addresses":["x"]}"#,
        #"{"type":"catalog","req":77,"entries":[]}"#, #"{"type":"resolve","req":1,"name":"../x"}"#,
      ] { try await mallory.say(Array(payload.utf8)) }
      try await mallory.say(.deny(Deny(request: 1, transfer: .random(.system), reason: .notFound)))
      await mallory.offer(try Offer("model", files: [("a.bin", pattern(100))], by: mallory.identity))
      _ = try await laptop.pull("mallory/model", into: "\(house.path)/in")
      // Frames that no link carries: the link goes, the peer may come back.
      for frame: [UInt8] in [[0x0B], [], [0x01], [0x02, 1, 2, 3], [0x08] + pattern(65_000), [0x03, 1]] {
        try await mallory.push(frame)
        try await mallory.relink()
      }
      try await mallory.say(.catalogRequest(CatalogRequest(request: 5)))
      try await eventually("it is answered", on: house.loop) {
        await mallory.heard.contains { if case .catalog(let page) = $0 { page.request == 5 } else { false } }
      }
      #expect(try await laptop.node.summary(of: "mallory").health == "healthy")
    }
  }
}

extension CatalogEntry {
  /// The same, but for what is given.
  func with(name: String? = nil, version: ArtifactVersion? = nil, digest: Digest? = nil) -> CatalogEntry {
    CatalogEntry(
      name: name.flatMap { try? ArtifactName($0) } ?? self.name, version: version ?? self.version,
      digest: digest ?? self.digest,
      sizeBytes: sizeBytes, files: files, note: note, created: created, publisher: publisher)
  }

  /// The same, in another's name.
  func by(_ publisher: NodeID) -> CatalogEntry {
    CatalogEntry(
      name: name, version: version, digest: digest, sizeBytes: sizeBytes, files: files, note: note, created: created,
      publisher: publisher.digest)
  }
}
