internal import EventLoop
internal import Session

/// Lets only so many peers be dialed at once: a node with a thousand of them would else open a few thousand sockets when it starts.
///
/// Peers that a command or a transfer waits for come before all others.
actor DialGate {
  /// Peers that are dialed at once, where descriptors are plenty.
  static let maximumDials = 32

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  private struct Waiting {
    let peer: NodeID
    let isWanted: Bool
    let turn: CheckedContinuation<Void, Never>
  }

  private let limit: Int
  private var waiting: [Waiting] = []
  /// How many dial now.
  private(set) var dialing = 0
  /// How many wait for their turn.
  var waitingCount: Int { waiting.count }
  /// Who they are, the next one first.
  var order: [NodeID] { waiting.map(\.peer) }

  /// A gate that lets `limit` through at once.
  init(limit: Int, on loop: EventLoop) {
    self.limit = limit
    self.loop = loop
  }

  /// How many there is room for: each may try ``Dialler/maximumPlaces`` side by side. One, as long as a link that came of it could be.
  static func limit(in descriptors: DescriptorBudget) -> Int {
    let room = descriptors.share(of: .dial) / Dialler.maximumPlaces
    return min(maximumDials, max(descriptors.share(of: .link) > 0 ? 1 : 0, room))
  }

  /// Waits for a turn. Whoever gets it is to ``leave()``.
  func enter(_ peer: NodeID, isWanted: Bool) async {
    guard dialing >= limit else {
      dialing += 1
      return
    }
    await withCheckedContinuation { turn in
      let place = isWanted ? waiting.firstIndex { !$0.isWanted } ?? waiting.count : waiting.count
      waiting.insert(Waiting(peer: peer, isWanted: isWanted, turn: turn), at: place)
    }
  }

  /// Somebody waits for this peer from now on.
  func hurry(_ peer: NodeID) {
    guard let index = waiting.firstIndex(where: { $0.peer == peer && !$0.isWanted }) else { return }
    let hurried = waiting.remove(at: index)
    let place = waiting.firstIndex { !$0.isWanted } ?? waiting.count
    waiting.insert(Waiting(peer: peer, isWanted: true, turn: hurried.turn), at: place)
  }

  /// The peer needs its turn no more: what waits for it goes on at once, and finds out by itself.
  func release(_ peer: NodeID) {
    guard let index = waiting.firstIndex(where: { $0.peer == peer }) else { return }
    dialing += 1
    waiting.remove(at: index).turn.resume()
  }

  /// A turn is over.
  func leave() {
    dialing -= 1
    guard dialing < limit, !waiting.isEmpty else { return }
    dialing += 1
    waiting.removeFirst().turn.resume()
  }
}
