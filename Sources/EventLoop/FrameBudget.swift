/// The memory of all frames that travel in one direction, divided among those who use it.
///
/// Each user has a ``FrameAccount``. The first frame of an account is granted as soon as the budget has room for it, however large
/// it is; further ones only within the account's share, and while a reserve for first frames of others is left. So one that does
/// not give its frames back holds up itself: others find at least the reserve. Who waits is served in the order of asking.
///
/// **Invariant: nobody waits in ``FrameAccount/take(bodyBytes:)`` for a frame while it needs that frame to give another one back.**
/// Every frame that is out then comes back without anybody else's help from this budget, so each waiter gets its turn.
///
/// Frames that nobody took for ``restTime`` are given back to the system. A timer runs only while there are idle frames.
public final class FrameBudget: Sendable {
  /// How long a frame stays at hand after its use.
  public static let restTime = Duration.seconds(10)
  /// Frames come in powers of two from this size on: so few sizes that idle frames are found again.
  static let smallestBodyBytes = 64 << 10

  /// Calls something back after a while, on any thread.
  public typealias Timer = @Sendable (Duration, @escaping @Sendable () -> Void) -> Void

  private struct Idle {
    let memory: FrameMemory
    let since: Duration
  }

  private struct Request {
    let account: FrameAccount
    let sizeBytes: Int
    let parked: Parked<Frame>
  }

  private struct State {
    var usedBytes = 0
    var idleBytes = 0
    /// By size; the last of each was used last.
    var idle: [Int: [Idle]] = [:]
    var held: [Int: Int] = [:]
    var waiting: [Request] = []
    var isReleaseDue = false
    var accounts = 0
  }

  private enum Verdict {
    case granted
    /// The account has what it may have.
    case accountIsFull
    /// All is in use.
    case budgetIsEmpty
  }

  private let bytes: Int
  private let shareBytes: Int
  private let reserveBytes: Int
  private let headerBytes: Int
  private let overheadBytes: Int
  private let clock: @Sendable () -> Duration
  private let timer: Timer
  private let state = Locked(State())

  /// A budget.
  ///
  /// - Parameters:
  ///   - bytes: how much all bodies may have together; a larger body than that is refused.
  ///   - shareBytes: how much of it one account may have, beyond a first frame.
  ///   - headerBytes: room before each body.
  ///   - overheadBytes: room behind each body that is not counted: a cipher's tag.
  ///   - clock: what time it is.
  ///   - timer: calls back after a while.
  public init(
    bytes: Int, shareBytes: Int, headerBytes: Int, overheadBytes: Int,
    clock: @escaping @Sendable () -> Duration = { MonotonicClock.now }, timer: @escaping Timer
  ) {
    precondition(bytes >= Self.smallestBodyBytes && shareBytes > 0 && headerBytes >= 0, "a budget for nothing")
    self.bytes = bytes
    self.shareBytes = shareBytes
    reserveBytes = bytes / 4
    self.headerBytes = headerBytes
    self.overheadBytes = overheadBytes
    self.clock = clock
    self.timer = timer
  }

  deinit { state.withLock { state in for idle in state.idle.values.joined() { idle.memory.free() } } }

  /// An account for somebody new. What is left of it when it goes away comes back by itself.
  public func account() -> FrameAccount {
    FrameAccount(
      budget: self,
      number: state.withLock { state in
        state.accounts += 1
        return state.accounts
      })
  }

  /// Bytes in frames that somebody uses.
  public var usedBytes: Int { state.withLock { $0.usedBytes } }
  /// Bytes in all frames, idle ones included.
  public var heldBytes: Int { state.withLock { $0.usedBytes + $0.idleBytes } }

  private func size(_ bodyBytes: Int) throws -> Int {
    var size = Self.smallestBodyBytes
    while size < bodyBytes - overheadBytes { size *= 2 }
    guard size <= bytes else { throw LoopError(.frameTooLong, "a frame of \(bodyBytes) bytes") }
    return size
  }

  // MARK: Taking

  fileprivate func tryTake(_ account: FrameAccount, _ bodyBytes: Int) throws -> Frame? {
    let size = try size(bodyBytes)
    let (isGranted, memory, evicted) = state.withLock { state -> (Bool, FrameMemory?, [FrameMemory]) in
      // Those who wait come first, unless they wait for frames of their own.
      let isFirst = state.waiting.allSatisfy { verdict($0.account, $0.sizeBytes, state) == .accountIsFull }
      guard isFirst, verdict(account, size, state) == .granted else { return (false, nil, []) }
      let (memory, evicted) = charge(account, size, &state)
      return (true, memory, evicted)
    }
    for memory in evicted { memory.free() }
    return isGranted ? try frame(memory, size, account) : nil
  }

  fileprivate func take(_ account: FrameAccount, _ bodyBytes: Int) async throws -> Frame {
    try Task.checkCancellation()
    let size = try size(bodyBytes)
    let parked = Parked<Frame>()
    return try await parked.wait {
      state.withLock { $0.waiting.append(Request(account: account, sizeBytes: size, parked: parked)) }
      serve()
    } onCancel: { [weak self] in
      self?.state.withLock { state in state.waiting.removeAll { $0.parked === parked } }
      // It may have stood in the way of others.
      self?.serve()
    }
  }

  private func verdict(_ account: FrameAccount, _ size: Int, _ state: State) -> Verdict {
    guard state.usedBytes + size <= bytes else { return .budgetIsEmpty }
    guard let held = state.held[account.number] else { return .granted }
    let isWithinShare = held + size <= shareBytes && state.usedBytes + size <= bytes - reserveBytes
    return isWithinShare ? .granted : .accountIsFull
  }

  /// Counts a frame as used, and finds memory for it: idle memory of its size, or room for new by giving up other idle memory.
  private func charge(_ account: FrameAccount, _ size: Int, _ state: inout State) -> (FrameMemory?, [FrameMemory]) {
    state.usedBytes += size
    state.held[account.number, default: 0] += size
    if let idle = state.idle[size]?.popLast() {
      state.idleBytes -= size
      return (idle.memory, [])
    }
    var evicted: [FrameMemory] = []
    while state.usedBytes + state.idleBytes > bytes {
      let coldest = state.idle.compactMap { size, list in list.first.map { (size, $0.since) } }.min { $0.1 < $1.1 }
      guard let (coldSize, _) = coldest, let idle = state.idle[coldSize]?.removeFirst() else { break }
      state.idleBytes -= coldSize
      evicted.append(idle.memory)
    }
    return (nil, evicted)
  }

  private func uncharge(_ account: FrameAccount, _ size: Int, _ state: inout State) {
    state.usedBytes -= size
    let left = (state.held[account.number] ?? 0) - size
    state.held[account.number] = left > 0 ? left : nil
  }

  private func frame(_ memory: FrameMemory?, _ size: Int, _ account: FrameAccount) throws -> Frame {
    if let memory { return Frame(memory: memory, owner: Lent(size: size, account: account)) }
    guard let memory = FrameMemory(headerBytes: headerBytes, bodyBytes: size + overheadBytes) else {
      state.withLock { uncharge(account, size, &$0) }
      serve()
      throw LoopError(.noMemory, "a frame of \(size) bytes")
    }
    return Frame(memory: memory, owner: Lent(size: size, account: account))
  }

  /// Gives those who wait what there is, in their order. One whose account is full is passed over: it waits for its own frames.
  private func serve() {
    while true {
      let next = state.withLock { state -> (Request, Parked<Frame>.Continuation, FrameMemory?, [FrameMemory])? in
        var index = 0
        while index < state.waiting.count {
          let request = state.waiting[index]
          switch verdict(request.account, request.sizeBytes, state) {
          case .budgetIsEmpty: return nil
          case .accountIsFull: index += 1
          case .granted:
            state.waiting.remove(at: index)
            guard let task = request.parked.claim() else { continue }
            let (memory, evicted) = charge(request.account, request.sizeBytes, &state)
            return (request, task, memory, evicted)
          }
        }
        return nil
      }
      guard let (request, task, memory, evicted) = next else { return }
      for memory in evicted { memory.free() }
      task.resume(with: Result { try frame(memory, request.sizeBytes, request.account) })
    }
  }

  // MARK: Giving back

  fileprivate func giveBack(_ memory: FrameMemory, _ size: Int, _ account: FrameAccount) {
    let isReleaseNew = state.withLock { state in
      uncharge(account, size, &state)
      state.idle[size, default: []].append(Idle(memory: memory, since: clock()))
      state.idleBytes += size
      defer { state.isReleaseDue = true }
      return !state.isReleaseDue
    }
    serve()
    if isReleaseNew { releaseLater(Self.restTime) }
  }

  private func releaseLater(_ time: Duration) { timer(time) { [weak self] in self?.release() } }

  /// Gives back what has rested long enough, and comes again if something is left.
  private func release() {
    let (rested, next) = state.withLock { state -> ([FrameMemory], Duration?) in
      let now = clock()
      var rested: [FrameMemory] = []
      var oldest: Duration?
      for (size, list) in state.idle {
        let stays = list.drop { $0.since + Self.restTime <= now }
        rested += list.prefix(list.count - stays.count).map(\.memory)
        state.idleBytes -= size * (list.count - stays.count)
        state.idle[size] = stays.isEmpty ? nil : Array(stays)
        if let first = stays.first?.since { oldest = min(oldest ?? first, first) }
      }
      state.isReleaseDue = oldest != nil
      return (rested, oldest.map { $0 + Self.restTime - now })
    }
    for memory in rested { memory.free() }
    if let next { releaseLater(next) }
  }
}

/// What one peer or one pull has of a ``FrameBudget``.
public final class FrameAccount: Sendable {
  private let budget: FrameBudget
  fileprivate let number: Int

  fileprivate init(budget: FrameBudget, number: Int) {
    self.budget = budget
    self.number = number
  }

  /// A frame with room for a body of so many bytes, or nil if this account may have none now. Its content is what the last user left.
  ///
  /// Throws ``LoopError/Code/frameTooLong`` for more than the whole budget, ``LoopError/Code/noMemory``.
  public func tryTake(bodyBytes: Int) throws -> Frame? { try budget.tryTake(self, bodyBytes) }

  /// The same, but waits. Only for who holds no frame that it gives back after this one alone: see ``FrameBudget``.
  public func take(bodyBytes: Int) async throws -> Frame { try await budget.take(self, bodyBytes) }

  fileprivate func giveBack(_ memory: FrameMemory, _ size: Int) { budget.giveBack(memory, size, self) }
}

/// A frame's way back to its account.
private final class Lent: FrameOwner {
  private let size: Int
  private let account: FrameAccount

  init(size: Int, account: FrameAccount) {
    self.size = size
    self.account = account
  }

  func giveBack(_ memory: FrameMemory) { account.giveBack(memory, size) }
}

extension EventLoop {
  /// Calls `body` on the loop after a while; not at all if the loop ends before.
  public func callLater(_ time: Duration, _ body: @escaping @Sendable () -> Void) {
    post {
      _ = self.timers.schedule(at: .after(time)) { end in if case .due = end { body() } }
    }
  }
}
