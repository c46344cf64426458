import Primitives
import Testing
import Wire

@testable import Session

@Suite struct LinkFrameTests {
  private func samples() throws -> [LinkFrame] {
    let (a, b) = try Party.pair(seed: 10)
    let id = try #require(SessionID([UInt8](repeating: 3, count: 16)))
    let (bundle, _) = try b.bundle(for: a.id)
    let own = try a.prekeys.bundle(from: a.identity, to: b.id, at: epoch, crypto: a.crypto)
    let (head, _) = try KeyAgreement.initiate(
      identity: a.identity, peer: b.record, bundle: bundle, own: own, crypto: a.crypto)
    let counters = SessionCounters(session: id, committed: 7, seen: .max)
    return [
      .envelope(id, [1, 2, 3]), .initiation(Initiation(head: head, envelope: [9, 9])), .ack(id, try envelopeID(1)),
      .counters([]), .counters([counters, counters]), .bundleRequest([UInt8](repeating: 4, count: 16)),
      .bundle(bundle.bytes), .reset(id),
      .pairAccepted(Introduction(record: a.record.bytes, bundle: own.bytes, card: try Card(name: "n", addresses: []))),
      .pairRefused(.used), .pairRefused(.spoilt), .close,
    ]
  }

  @Test func everyFrameIsReadBack() throws {
    for frame in try samples() {
      let bytes = frame.encoded
      #expect(try LinkFrame(parsing: bytes.span) == frame)
      #expect(bytes[0] == frame.type)
    }
  }

  @Test func framesOfFixedShapeAreReadExactly() throws {
    for frame in try samples() {
      switch frame {
      case .envelope, .bundle, .counters: continue
      default: break
      }
      let long = frame.encoded + [0]
      #expect(throws: WireError.self) { try LinkFrame(parsing: long.span) }
      let short = Array(frame.encoded.dropLast())
      #expect(throws: WireError.self) { try LinkFrame(parsing: short.span) }
    }
  }

  @Test func unknownFramesAndOversizedOnesAreRefused() {
    for bytes in [[], [0x00], [0x0B], [0xFF, 1], [0x09, 4], [0x04, 1], [0x02, 2, 0, 1]] as [[UInt8]] {
      #expect(throws: WireError.self) { try LinkFrame(parsing: bytes.span) }
    }
    let large = [UInt8](repeating: 1, count: LinkFrame.maximumBytes + 1)
    #expect(throws: WireError.oversized) { try LinkFrame(parsing: large.span) }
  }

  @Test func theLargestInitiationFitsAFrame() {
    #expect(1 + Initiation.headBytes + 4 + Envelope.maximumBytes <= LinkFrame.maximumBytes)
  }

  @Test func aPayloadSaysItsTypeOrNothing() {
    #expect(PayloadType.read(Array(#"{"a":{"type":"x"},"type":"y"}"#.utf8)) == "y")
    for text in [
      #"{"type":1}"#, #"["type","y"]"#, "{}", #"{"type":"y""#, #"{"a":["type","y"]}"#, #"{"type":"a","type":"b"}"#, "",
    ] {
      #expect(PayloadType.read(Array(text.utf8)) == nil, "\(text)")
    }
    #expect(PayloadType.read(PayloadType.turnPayload) == "turn")
    #expect(PayloadType.read(PayloadType.turnedPayload) == "turned")
  }
}
