internal import Primitives

/// The key of one message that has not come yet.
struct SkippedKey: Sendable {
  /// N
  let number: UInt32
  /// prk of the envelope, from which its key, nonce and commitment follow.
  let messageKey: SecretBox
  /// When it was skipped, Unix seconds.
  let since: UInt64
}

/// A receiving chain that was left behind with messages still missing.
struct SkippedChain: Sendable {
  /// HKr of that chain.
  let headerKey: SecretBox
  /// What every header of that chain must match.
  let fingerprint: Digest
  /// In order of their numbers. Never empty.
  var keys: [SkippedKey]
}

/// The chains left behind, oldest first.
struct SkippedKeys: Sendable {
  /// Messages skipped by one envelope. Hashing that many keys is a millisecond; a sender has no more than
  /// ``PeerMachine/maximumUnacknowledged`` under way, so an honest gap is never wider.
  static let maximumGap = 1_000
  /// Keys kept in all, the running chain's included: two full gaps.
  static let maximumKeys = 2_000
  /// Chains kept: each costs a trial decryption per envelope that opens nowhere else.
  static let maximumChains = 64

  var chains: [SkippedChain] = []

  /// Keys in the chains left behind.
  var count: Int { chains.reduce(0) { $0 + $1.keys.count } }

  /// Leaves a chain behind.
  mutating func append(_ chain: SkippedChain) {
    guard !chain.keys.isEmpty else { return }
    chains.append(chain)
    if chains.count > Self.maximumChains { chains.removeFirst(chains.count - Self.maximumChains) }
  }

  /// The key of message `number` of the chain at `index`, taken out; nil also if it has waited too long.
  mutating func take(_ number: UInt32, fromChain index: Int, at now: UInt64) -> SecretBox? {
    guard let position = chains[index].keys.firstIndex(where: { $0.number == number }),
      !chains[index].keys[position].isExpired(at: now)
    else { return nil }
    let key = chains[index].keys.remove(at: position).messageKey
    if chains[index].keys.isEmpty { chains.remove(at: index) }
    return key
  }

  /// Drops keys that have waited too long, and then the oldest until no more than `limit` are left.
  mutating func trim(to limit: Int, at now: UInt64) {
    for index in chains.indices where chains[index].keys.first?.isExpired(at: now) ?? true {
      chains[index].keys.removeAll { $0.isExpired(at: now) }
    }
    var excess = count - limit
    for index in chains.indices where excess > 0 {
      let dropped = min(excess, chains[index].keys.count)
      chains[index].keys.removeFirst(dropped)
      excess -= dropped
    }
    chains.removeAll { $0.keys.isEmpty }
  }
}

extension SkippedKey {
  /// Whether it has waited longer than a key may.
  func isExpired(at now: UInt64) -> Bool { since + SessionTimes.skippedKeyLife <= now }
}
