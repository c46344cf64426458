import EventLoop
import Primitives
import Session
import Store
import Testing

@testable import Node

/// Identities that have a key in common, and what makes a newcomer resemble a peer.
enum Kin {
  /// Draws of randomness in the order in which an identity takes them.
  static let keys = ["Ed25519", "ML-DSA", "link", "agreement"]

  /// Two identities that share the key of this number, and no other.
  static func pair(sharing key: Int, seed: UInt64) throws -> (one: Identity, other: Identity) {
    (try Identity.generate(crypto(seed)), try Identity.generate(crypto(seed + 1, drawing: key, from: seed)))
  }

  private static func crypto(_ seed: UInt64, drawing key: Int? = nil, from other: UInt64 = 0) -> SessionCrypto {
    let (own, shared) = (Randomness.seeded(seed), Randomness.seeded(other))
    let calls = Locked(0)
    return SessionCrypto(
      randomness: Randomness { count in
        let call = calls.withLock { calls in
          defer { calls += 1 }
          return calls
        }
        let (mine, theirs) = (own.bytes(count), shared.bytes(count))
        return call == key ? theirs : mine
      })
  }
}

@Suite struct IdentityLikenessTests {
  private func addresses(_ texts: [String]) throws -> [PeerAddress] { try texts.map { try PeerAddress($0) } }

  private func peer(
    _ identity: Identity, name: String = "laptop", alias: String = "lap",
    at places: [String] = ["10.0.0.7:7411", "[fd00::7]:7411"],
    isLinked: Bool = false, newcomer: NodeID? = nil
  ) throws -> KnownPeer {
    KnownPeer(
      record: identity.record, alias: alias, name: name, places: try addresses(places), isLinked: isLinked, newcomer: newcomer)
  }

  @Test(arguments: 0..<4) func aKeyInCommonIsEnough(_ key: Int) throws {
    let (one, other) = try Kin.pair(sharing: key, seed: 40)
    let (a, b) = (one.record, other.record)
    let shared = [a.ed25519Key == b.ed25519Key, a.mldsaKey == b.mldsaKey, a.linkKey == b.linkKey, a.agreeKey == b.agreeKey]
    #expect(shared.indices.filter { shared[$0] } == [key], "the \(Kin.keys[key]) key and no other")
    let found = IdentityLikeness.find(b, name: "nobody", places: [], given: nil, among: [try peer(one, isLinked: true)])
    #expect(found?.peer == one.id && found?.reason == .sharedKey)
  }

  @Test func aLinkKeyThatWasAnAgreementKeyIsAKeyInCommon() throws {
    let one = try Identity.generate(.system)
    let other = try Identity.generate(.system)
    // The record of `other` with the link key of `one` in the agreement key's place.
    let at = 15 + 32 + 1_952 + 32
    var bytes = other.record.bytes
    bytes.replaceSubrange(at..<at + 32, with: one.record.linkKey.bytes)
    let record = try IdentityRecord(stored: bytes.span)
    #expect(IdentityLikeness.find(record, name: "x", places: [], given: nil, among: [try peer(one)])?.reason == .sharedKey)
  }

  @Test func theNameCountsOnlyTogetherWithAPlace() throws {
    let known = try Identity.generate(.system)
    let record = try Identity.generate(.system).record
    func isLike(_ name: String, _ places: [String], isLinked: Bool) throws -> Bool {
      IdentityLikeness.find(
        record, name: name, places: try addresses(places), given: nil, among: [try peer(known, isLinked: isLinked)]) != nil
    }
    for isLinked in [false, true] {
      #expect(try isLike("laptop", ["10.0.0.7:7411"], isLinked: isLinked), "its name and its address")
      #expect(
        try isLike("lap", ["192.0.2.1:1", "[fd00::7]:7411"], isLinked: isLinked), "our name for it, and one of its addresses")
      #expect(try !isLike("laptop", [], isLinked: isLinked))
      #expect(try !isLike("laptop", ["10.0.0.8:7411"], isLinked: isLinked), "only the name")
      #expect(try !isLike("desktop", ["10.0.0.7:7411"], isLinked: isLinked), "only the address")
    }
    // Another port of the same machine: a new one only if the old one is not there.
    #expect(try isLike("laptop", ["10.0.0.7:9000"], isLinked: false))
    #expect(try !isLike("laptop", ["10.0.0.7:9000"], isLinked: true))
  }

  @Test func aKeySaysMoreThanANameAndAnOpenQuestionMoreThanBoth() throws {
    let (one, other) = try Kin.pair(sharing: 2, seed: 50)
    let namesake = try Identity.generate(.system)
    let places = try addresses(["10.0.0.7:7411"])
    let peers = [try peer(namesake), try peer(one, name: "x", alias: "x", at: [])]
    #expect(IdentityLikeness.find(other.record, name: "laptop", places: places, given: nil, among: peers)?.peer == one.id)
    let asked = try peer(try Identity.generate(.system), name: "y", alias: "y", at: [], newcomer: other.id)
    #expect(
      IdentityLikeness.find(other.record, name: "laptop", places: places, given: nil, among: peers + [asked])?.peer
        == asked.record.id)
  }

  @Test func aPeerThatTakesAnothersNameIsNotTakenForIt() throws {
    let (laptop, mallory) = (try Identity.generate(.system), try Identity.generate(.system))
    let peers = [try peer(mallory, name: "laptop", alias: "a-mallory"), try peer(laptop, name: "laptop", alias: "laptop")]
    let found = IdentityLikeness.find(
      try Identity.generate(.system).record, name: "laptop", places: try addresses(["10.0.0.7:7411"]), given: nil, among: peers)
    #expect(found?.peer == laptop.id)
  }

  @Test func anAliasThatTheUserGaveIsTheWordThatItIsAnother() throws {
    let known = try Identity.generate(.system)
    let newcomer = try Identity.generate(.system).record
    let places = try addresses(["10.0.0.7:7411"])
    let peers = [try peer(known, name: "laptop", alias: "lap")]
    func found(given: String?) -> NodeID? {
      IdentityLikeness.find(newcomer, name: "laptop", places: places, given: given, among: peers)?.peer
    }
    #expect(found(given: nil) == known.id)
    #expect(found(given: "lap") == known.id, "that is what the user calls this peer")
    #expect(found(given: "tower") == nil)
    #expect(found(given: "laptop") == nil, "what the peer calls itself is not the user's name for it")
    // Keys in common ask all the same, and so does a newcomer about whom a question is open.
    let (one, other) = try Kin.pair(sharing: 1, seed: 70)
    let kin = IdentityLikeness.find(
      other.record, name: "laptop", places: places, given: "tower",
      among: peers + [try peer(one, name: "x", alias: "x", at: [])])
    #expect(kin?.peer == one.id && kin?.reason == .sharedKey)
    let asked = try peer(try Identity.generate(.system), name: "y", alias: "y", at: [], newcomer: newcomer.id)
    #expect(
      IdentityLikeness.find(newcomer, name: "laptop", places: places, given: "tower", among: [asked])?.peer == asked.record.id)
  }

  @Test func nobodyResemblesItself() throws {
    let known = try Identity.generate(.system)
    let places = try addresses(["10.0.0.7:7411"])
    #expect(IdentityLikeness.find(known.record, name: "laptop", places: places, given: nil, among: [try peer(known)]) == nil)
  }
}
