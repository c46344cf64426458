internal import EventLoop
internal import Logging
internal import Primitives
internal import Session
internal import Store

/// What every part of a node works with: one loop, one identity, one state, a few threads.
struct NodeContext: Sendable {
  /// Wall-clock Unix seconds. A parameter, so that a simulator can own the time.
  typealias Clock = @Sendable () -> UInt64

  let loop: EventLoop
  let identity: Identity
  /// What the state's secrets are sealed under.
  let key: StateKey
  let database: Database
  let crypto: SessionCrypto
  let clock: Clock
  let threads: NodeThreads
  let network: any NetworkView
  let logger: Logger
  /// For lines that others cause, who must not be able to fill the log.
  let peerLog: PeerLog
  /// What may be open at once.
  let descriptors: DescriptorBudget
  /// Who may dial now.
  let dials: DialGate
  let numbers: SafetyNumbers

  /// Wall-clock Unix seconds.
  var now: UInt64 { clock() }
}
