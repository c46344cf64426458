internal import Glibc
internal import Primitives
internal import Session
internal import Store

/// Peers with a session each, written into the state of a node that does not run: what a node's start costs with many of them.
enum ManyPeers {
  /// Adds `count` peers to the node at `home`, which has run before. Nobody is at their addresses.
  static func write(_ count: Int, home: String) async throws {
    let crypto = SessionCrypto.system
    let now = UInt64(time(nil))
    let folder = try StateFolder.open(Locations(home: home))
    let keys = try folder.unlock()
    guard let stored = try folder.readIdentity(keys) else { throw WrongTurn(what: "no node has run at \(home)") }
    let identity = try Identity(parsing: stored.span)
    let database = try Database(folder: folder, keys: keys)
    var ring = try PrekeyRing(stored: try await database.loadPrekeys(), key: keys.key)
    try await database.apply([], prekeys: ring.refresh(at: now, crypto: crypto))
    for number in 0..<count {
      let (record, commit) = try befriend(identity, ring, at: now, crypto)
      _ = try await database.addPeer(
        NewPeer(
          id: record.id, record: record.bytes, name: "peer", addresses: ["192.0.2.\(number % 254 + 1):7411 given"], added: now),
        alias: .given("peer-\(number)"), commits: [commit])
    }
    await database.close()
    folder.release()
  }

  /// A new peer, and what the node stores of the session that the two have.
  private static func befriend(
    _ identity: Identity, _ ring: PrekeyRing, at now: UInt64, _ crypto: SessionCrypto
  ) throws -> (IdentityRecord, SessionCommit) {
    let stranger = try Identity.generate(crypto)
    let hello = Array(#"{"name":"bench","type":"hello"}"#.utf8)
    var theirRing = PrekeyRing()
    _ = theirRing.refresh(at: now, crypto: crypto)
    var node = PeerMachine(identity: identity, peer: stranger.record, prekeys: ring, hello: hello, crypto: crypto)
    var other = PeerMachine(identity: stranger, peer: identity.record, prekeys: theirRing, hello: hello, crypto: crypto)
    var commit = SessionCommit(peer: stranger.id)
    let bundle = try other.pairingBundle(at: now).bundle
    _ = try node.linkUp(at: now)
    _ = try other.linkUp(at: now)
    let start = try node.start(with: bundle, at: now)
    commit.append(start.commit)
    var (there, back) = (start.frames, [LinkFrame]())
    while !there.isEmpty || !back.isEmpty {
      let (toOther, toNode) = (there, back)
      (there, back) = ([], [])
      for frame in toOther { back += try other.receive(frame, at: now).frames }
      for frame in toNode {
        let outcome = try node.receive(frame, at: now)
        commit.append(outcome.commit)
        there += outcome.frames
      }
    }
    guard node.isConfirmed else { throw WrongTurn(what: "no session") }
    return (stranger.record, commit)
  }
}
