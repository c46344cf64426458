internal import EventLoop
internal import Session

/// What is held against a peer, whatever becomes of the links and the pairing that it did it over.
struct PeerManners: Sendable {
  let conduct: PeerConduct
  let backoff: Backoff
  let cardWrites: Budget
  let repeatedPairings: Budget
}

extension Peer {
  /// For the peer that takes this one's place when the two pair again.
  var manners: PeerManners {
    PeerManners(conduct: conduct, backoff: backoff, cardWrites: cardWrites, repeatedPairings: repeatedPairings)
  }

  /// Goes on where the same node's peer of before the pairing stopped: who pairs again with a ticket that it has used would else begin
  /// with a clean sheet each time.
  func inherit(_ manners: PeerManners) {
    conduct = manners.conduct
    backoff = manners.backoff
    cardWrites = manners.cardWrites
    repeatedPairings = manners.repeatedPairings
  }

  /// Whether it may pair again now, which costs signatures and a commit: not during a pause, and not without end.
  func mayPairAgain() -> Bool { !isPaused && repeatedPairings.spend(at: context.now) }
}
