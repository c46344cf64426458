internal import API
internal import EventLoop

/// The clients that are connected, and which of them has to make room: who says nothing keeps nobody out.
actor ControlClients {
  /// One client's place.
  final class Seat: Sendable {
    fileprivate let number: UInt64
    fileprivate let clients: ControlClients

    fileprivate init(_ number: UInt64, at clients: ControlClients) {
      self.number = number
      self.clients = clients
    }

    /// A request is under way: the client is not closed for another one.
    func begin() async { await clients.note(number, isBusy: true) }

    /// It was answered.
    func end() async { await clients.note(number, isBusy: false) }

    /// The client is gone.
    func leave() async { await clients.leave(number) }
  }

  /// What becomes of a new client.
  enum Admission {
    /// It has a seat, that of the client to be closed if there is one.
    case seated(Seat, closing: PipeStream?)
    /// All are at work.
    case full
  }

  private struct Client {
    let stream: PipeStream
    var isBusy = false
    var since: Duration
  }

  nonisolated let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  private let capacity: Int
  private let patience: Duration
  private var clients: [UInt64: Client] = [:]
  private var last: UInt64 = 0

  /// Room for so many. Who has said nothing for `patience` may be closed for another one.
  init(capacity: Int, patience: Duration, on loop: EventLoop) {
    self.capacity = capacity
    self.patience = patience
    self.loop = loop
  }

  private var now: Duration { MonotonicClock.now }

  /// A new client.
  func enter(_ stream: PipeStream) -> Admission {
    var loser: PipeStream?
    if clients.count >= capacity {
      let idle = clients.filter { !$0.value.isBusy && $0.value.since + patience <= now }
      guard let longest = idle.min(by: { $0.value.since < $1.value.since }) else { return .full }
      loser = clients.removeValue(forKey: longest.key)?.stream
    }
    last += 1
    clients[last] = Client(stream: stream, since: now)
    return .seated(Seat(last, at: self), closing: loser)
  }

  private func note(_ number: UInt64, isBusy: Bool) {
    clients[number]?.isBusy = isBusy
    clients[number]?.since = now
  }

  private func leave(_ number: UInt64) { clients[number] = nil }
}

extension Failure {
  /// All places for clients are taken, and none by a client that may be closed.
  static func tooManyClients(_ count: Int) -> Failure {
    Failure(
      .noSpace, "\(count) clients are connected to the node already, and it takes no more at once",
      hint: "end one of them, or try again in a moment")
  }
}
