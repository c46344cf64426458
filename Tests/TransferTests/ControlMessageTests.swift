import Artifact
import Primitives
import Testing
import Wire

@testable import Transfer

@Suite struct ControlMessageTests {
  private func again(_ message: ControlMessage) throws -> ControlMessage {
    let parsed = try #require(try ControlMessage.parse(message.payload))
    #expect(parsed.payload == message.payload)
    return parsed
  }

  private func entry(_ name: String, _ version: ArtifactVersion = 1, note: String = "") throws -> CatalogEntry {
    CatalogEntry(
      name: try ArtifactName(name), version: version, digest: SHA256Hash.hash(Array(name.utf8)), sizeBytes: 1 << 40, files: 7,
      note: note, created: 1_700_000_000, publisher: Nodes.server)
  }

  private func want(_ ranges: [ChunkRange], kind: SegmentKind = .chunks, key: SecretBox? = nil) -> Want {
    Want(
      request: 12, transfer: id(1), digest: Nodes.other, kind: kind, ranges: ranges, aeads: [.chachaPoly, .aes256gcm],
      connection: id(2), connectionKey: key)
  }

  private func grant(_ ranges: [ChunkRange], kind: SegmentKind = .chunks, bytes: Int? = nil) -> Grant {
    Grant(
      request: 12, grant: id(3), secret: secret(0xA7), kind: kind, aead: .aes256gcm, digest: Nodes.other, transfer: id(1),
      ranges: ranges, connection: id(2), objectBytes: bytes)
  }

  @Test func aHelloSurvivesTheWay() throws {
    let hello = Hello(name: "studio", addresses: ["192.0.2.7:7411", "[::1]:7411"])
    guard case .hello(let parsed) = try again(.hello(hello)) else {
      Issue.record("another message")
      return
    }
    #expect(parsed == hello)
    let text = #"{"type":"hello","name":"studio","addresses":["192.0.2.7:7411","[::1]:7411"]}"#
    #expect(ControlMessage.hello(hello).payload == Array(text.utf8))
  }

  @Test func questionsAndAnswersSurviveTheWay() throws {
    let entry = try entry("模型 \"v1\"", 3, note: "line\nline\u{1b}[31m")
    for message in [
      ControlMessage.catalogRequest(CatalogRequest(request: 1)),
      .catalogRequest(CatalogRequest(request: 1, after: "a@v1")),
      .resolve(Resolve(request: 2, name: try ArtifactName("a b"), version: nil)),
      .resolve(Resolve(request: 2, name: try ArtifactName("a b"), version: .max)),
      .resolved(Resolved(request: 2, entry: nil)),
      .catalog(Catalog.page([entry], request: 3, after: nil)),
    ] { _ = try again(message) }
    guard case .resolved(let parsed) = try again(.resolved(Resolved(request: 2, entry: entry))) else {
      Issue.record("another message")
      return
    }
    #expect(parsed.entry == entry)
  }

  @Test func wantsGrantsAndDenialsSurviveTheWay() throws {
    let ranges = [
      ChunkRange(file: 0, first: 0, count: 64), ChunkRange(file: 0, first: 70, count: 1),
      ChunkRange(file: 9, first: 0, count: 1),
    ]
    guard case .want(let parsedWant) = try again(.want(want(ranges, key: secret(0x5C)))),
      case .grant(let parsedGrant) = try again(.grant(grant(ranges))),
      case .grant(let manifestGrant) = try again(.grant(grant([], kind: .manifest, bytes: 900)))
    else {
      Issue.record("another message")
      return
    }
    #expect(parsedWant.ranges == ranges && parsedWant.aeads == [.chachaPoly, .aes256gcm])
    #expect(try #require(parsedWant.connectionKey).bytes.copyBytes() == [UInt8](repeating: 0x5C, count: 32))
    #expect(parsedGrant.secret.bytes.copyBytes() == [UInt8](repeating: 0xA7, count: 32))
    #expect(manifestGrant.objectBytes == 900)
    let deny = Deny(request: 12, transfer: id(1), reason: .changed, path: try SafePath("a/b.safetensors"))
    guard case .deny(let parsedDeny) = try again(.deny(deny)) else {
      Issue.record("another message")
      return
    }
    #expect(parsedDeny == deny)
    // A later version's reason: not now, and nothing of what was fetched is to go.
    let unknown = #"{"type":"deny","req":1,"transfer":"\#(String(repeating: "0a", count: 16))","reason":"because"}"#
    guard case .deny(let later) = try ControlMessage.parse(Array(unknown.utf8)) else {
      Issue.record("it is a deny")
      return
    }
    #expect(later.reason == .busy)
    _ = try again(.want(want([], kind: .manifest)))
  }

  @Test func theLongestWantAndGrantFitAnEnvelope() throws {
    let ranges = (0..<TransferLimits.ranges).map {
      ChunkRange(file: Manifest.maximumFiles - 1, first: 10_000 + $0 * 20, count: 10)
    }
    #expect(ChunkRange.isProper(ranges))
    // Their numbers are as long as numbers get: five digits each.
    let widened = ranges.map { ChunkRange(file: $0.file, first: $0.first, count: 65_536) }
    var want = want(widened, key: secret(255))
    want = Want(
      request: JSONScanner.maximumInteger, transfer: want.transfer, digest: want.digest, kind: .chunks, ranges: widened,
      aeads: want.aeads, connection: want.connection, connectionKey: want.connectionKey)
    #expect(ControlMessage.want(want).payload.count <= TransferLimits.payloadBytes)
    #expect(ControlMessage.grant(grant(widened)).payload.count <= TransferLimits.payloadBytes)
  }

  @Test func aCatalogOfAnySizeComesInPagesThatFit() throws {
    let note = String(repeating: "\u{1}", count: Manifest.maximumNoteBytes)
    let all = try (0..<700).flatMap {
      [try entry("name \($0)", 1), try entry("name \($0)", 2, note: $0 % 50 == 0 ? note : "short")]
    }
    var seen: [CatalogEntry] = []
    var cursor: String?
    var pages = 0
    repeat {
      let message = ControlMessage.catalog(Catalog.page(all.shuffled(), request: 5, after: cursor))
      #expect(message.payload.count <= TransferLimits.payloadBytes)
      guard case .catalog(let page) = try again(message) else { return }
      seen += page.entries
      cursor = page.next
      pages += 1
    } while cursor != nil && pages < 1_000
    #expect(seen.count == all.count && Set(seen) == Set(all))
    #expect(pages > 5)
  }

  @Test func whatPrintsAMessagePrintsNoSecret() {
    var text = ""
    dump(grant([ChunkRange(file: 0, first: 0, count: 1)]), to: &text)
    dump(want([], kind: .manifest, key: secret(0xA7)), to: &text)
    print(
      SegmentCipher(grant: grant([]), context: SegmentContext(session: id(1), server: Nodes.server, puller: Nodes.puller)),
      to: &text)
    #expect(!text.lowercased().contains("a7a7") && !text.contains("167"))
  }
}
