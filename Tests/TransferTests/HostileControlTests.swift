import Primitives
import Testing

@testable import Transfer

/// What a hostile peer may put into an envelope: nothing of it may trap, and nothing senseless may pass.
@Suite struct HostileControlTests {
  private static let hex16 = String(repeating: "0a", count: 16)
  private static let hex32 = String(repeating: "0b", count: 32)

  private static func want(
    ranges: String = "[[0,0,1]]", kind: String = "0", aeads: String = "[1,2]", digest: String = hex32,
    connection: String = #"{"cid":"\#(hex16)","ckey":"\#(hex32)"}"#, req: String = "1"
  ) -> String {
    #"{"type":"want","req":\#(req),"transfer":"\#(hex16)","digest":"\#(digest)","kind":\#(kind),"ranges":\#(ranges),"aeads":\#(aeads),"connection":\#(connection)}"#
  }

  private static func grant(ranges: String = "[[0,0,1]]", kind: String = "0", secret: String = hex32, bytes: String? = nil)
    -> String
  {
    let tail = bytes.map { ",\"bytes\":\($0)" } ?? ""
    return
      #"{"type":"grant","req":1,"gid":"\#(hex16)","secret":"\#(secret)","kind":\#(kind),"aead":1,"digest":"\#(hex32)","transfer":"\#(hex16)","ranges":\#(ranges),"cid":"\#(hex16)"\#(tail)}"#
  }

  private func isRefused(_ text: String) -> Bool {
    do {
      _ = try ControlMessage.parse(Array(text.utf8))
      return false
    } catch {
      return error.code == .malformed
    }
  }

  @Test func theSamplesAreValid() {
    #expect(!isRefused(Self.want()) && !isRefused(Self.grant()) && !isRefused(Self.grant(ranges: "[]", kind: "1", bytes: "9")))
  }

  @Test func anUnknownTypeIsIgnored() throws {
    #expect(try ControlMessage.parse(Array(#"{"type":"later","x":[1,{"y":null}]}"#.utf8)) == nil)
  }

  @Test func unknownMembersAreIgnored() throws {
    let text = #"{"type":"resolve","req":1,"name":"a","later":{"deep":[true]}}"#
    guard case .resolve = try ControlMessage.parse(Array(text.utf8)) else {
      Issue.record("it is a resolve")
      return
    }
  }

  @Test(arguments: [
    "", "null", "[]", "{}", #"{"type":1}"#, #"{"type":"hello"}"#, #"{"type":"resolve","req":-1,"name":"a"}"#,
    #"{"type":"resolve","req":1.0,"name":"a"}"#, #"{"type":"resolve","req":1,"name":"../a"}"#,
    #"{"type":"resolve","req":1,"name":"a","version":0}"#, #"{"type":"resolve","req":1,"name":"a","version":4294967296}"#,
    #"{"type":"resolve","req":1,"req":2,"name":"a"}"#, #"{"type":"resolve","type":"want","req":1,"name":"a"}"#,
    #"{"type":"resolved","req":1,"entry":[]}"#, #"{"type":"resolve","req":1,"name":"a"} x"#,
    #"{"type":"deny","req":1,"transfer":"0a","reason":"busy"}"#,
    #"{"type":"catalog","req":1,"entries":[],"next":"a@v1"}"#, #"{"type":"catalog","req":1,"entries":[{}]}"#,
    #"{"type":"hello","name":"a","addresses":[1]}"#, #"{"type":"hello","name":"a","addresses":["","","","","","","","",""]}"#,
  ])
  func textsThatAreNoMessageAreRefused(text: String) {
    #expect(isRefused(text))
  }

  @Test(arguments: [
    "[]", "[[0,0,0]]", "[[0,0]]", "[[0,0,1,1]]", "[[0,0,\"1\"]]", "[[100000,0,1]]", "[[0,65536,1]]", "[[0,0,65537]]",
    "[[1,0,1],[0,0,1]]", "[[0,1,1],[0,0,1]]", "[[0,0,2],[0,1,1]]", "[[0,0,1],[0,0,1]]", "[[9007199254740991,0,1]]",
    "[[0,9007199254740991,9007199254740991]]", "null", "{}",
  ])
  func rangesOutOfOrderOrRangeAreRefused(ranges: String) {
    #expect(isRefused(Self.want(ranges: ranges)) && isRefused(Self.grant(ranges: ranges)))
  }

  @Test func tooManyRangesAreRefused() {
    let many = (0...TransferLimits.ranges).map { "[\($0),0,1]" }.joined(separator: ",")
    #expect(isRefused(Self.want(ranges: "[\(many)]")))
  }

  @Test func identifiersHaveOneSpelling() {
    #expect(isRefused(Self.want(digest: Self.hex32.uppercased())))
    #expect(isRefused(Self.want(digest: String(Self.hex32.dropLast()))))
    #expect(isRefused(Self.want(digest: Self.hex32 + "00")))
    #expect(isRefused(Self.want(connection: "{}")))
    #expect(isRefused(Self.want(connection: #"{"cid":"\#(Self.hex16)","ckey":"\#(Self.hex16)"}"#)))
    #expect(isRefused(Self.grant(secret: Self.hex32.uppercased())))
    #expect(isRefused(Self.grant(secret: Self.hex32 + "0b")))
    #expect(isRefused(Self.grant(secret: "")))
  }

  @Test func kindsAndTheirFieldsGoTogether() {
    #expect(isRefused(Self.want(kind: "3")) && isRefused(Self.want(kind: "1")) && isRefused(Self.want(ranges: "[]", kind: "2")))
    #expect(isRefused(Self.grant(ranges: "[]", kind: "1")), "a manifest of unknown length")
    #expect(isRefused(Self.grant(ranges: "[]", kind: "1", bytes: "0")))
    #expect(isRefused(Self.grant(ranges: "[]", kind: "1", bytes: "34000000")), "larger than any manifest")
    #expect(isRefused(Self.grant(bytes: "9")), "chunks have no length of their own")
  }

  @Test func unknownCiphersArePassedOver() throws {
    guard case .want(let want) = try ControlMessage.parse(Array(Self.want(aeads: "[9,300,2,1]").utf8)) else { return }
    #expect(want.aeads == [.chachaPoly, .aes256gcm])
    #expect(isRefused(Self.want(aeads: "[1,1,1,1,1,1,1,1,1]")))
    #expect(isRefused(Self.want(aeads: #"[2,"x",1]"#)), "a list of numbers")
  }

  @Test func aPayloadThatNoEnvelopeCarriesIsRefusedUnread() {
    let text = #"{"type":"later","pad":""# + String(repeating: " ", count: TransferLimits.payloadBytes) + #""}"#
    do {
      _ = try ControlMessage.parse(Array(text.utf8))
      Issue.record("it must be refused")
    } catch { #expect(error.code == .tooLarge) }
  }

  @Test func noMutilatedMessageTraps() {
    var generator = SeededGenerator(11)
    let samples = [
      Self.want(), Self.grant(), #"{"type":"deny","req":1,"transfer":"\#(Self.hex16)","reason":"busy","path":"a"}"#,
    ]
    for _ in 0..<3_000 {
      var bytes = Array(samples.randomElement(using: &generator)!.utf8)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        default: bytes.removeSubrange(index...)
        }
        if bytes.isEmpty { break }
      }
      _ = try? ControlMessage.parse(bytes)
    }
  }
}
