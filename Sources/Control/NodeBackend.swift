public import API

/// What the control server asks of a node: one method a verb.
///
/// A method throws ``Failure`` to say why it could not be done, or `CancellationError` when its task was cancelled because the
/// client went away. Whatever else it throws reaches the client without detail and is logged.
public protocol NodeBackend: Sendable {
  /// Is it running, who are we, who is online, what moves.
  func status() async throws -> StatusResult
  /// Who we are and where we can be reached.
  func id() async throws -> IdentityResult
  /// Makes a ticket. With `wait`: sends it as an event and returns when it is used; cancelled, it withdraws the ticket.
  func invite(_ request: InviteRequest, replies: Replies) async throws -> InviteResult
  /// Pairs by a ticket.
  func join(_ request: JoinRequest, replies: Replies) async throws -> PairingResult
  /// Whom we are paired with.
  func peers() async throws -> PeersResult
  /// Gives a peer another alias.
  func rename(_ request: RenameRequest) async throws -> RenameResult
  /// Shows, and perhaps confirms, a safety number.
  func verify(_ request: VerifyRequest) async throws -> VerifyResult
  /// Forgets a peer.
  func revoke(_ request: RevokeRequest) async throws -> RevokeResult
  /// Publishes a file or folder.
  func share(_ request: ShareRequest, replies: Replies) async throws -> ShareResult
  /// Withdraws what was published.
  func unshare(_ request: UnshareRequest) async throws -> UnshareResult
  /// What we share, or what a peer shares with us.
  func list(_ request: ListRequest) async throws -> ListResult
  /// A manifest for people.
  func show(_ request: ShowRequest) async throws -> ShowResult
  /// Fetches, verifies, places. Cancelled, it stops and stays resumable.
  func pull(_ request: PullRequest, replies: Replies) async throws -> PullResult
  /// Re-verifies what is on disk.
  func check(_ request: CheckRequest, replies: Replies) async throws -> CheckResult
  /// What moves or waits, both directions.
  func transfers() async throws -> TransfersResult
  /// Ends a pull; returns when nothing of it is left.
  func cancel(_ request: CancelRequest) async throws -> CancelResult
  /// Drops downloads from the records; the files stay.
  func forget(_ request: ForgetRequest) async throws -> ForgetResult
  /// Lists, adds or removes addresses of a peer.
  func peerAddress(_ request: PeerAddressRequest) async throws -> PeerAddressesResult
  /// Lists tickets, and perhaps revokes one.
  func tickets(_ request: TicketsRequest) async throws -> TicketsResult
}

extension NodeBackend {
  /// Does what a request asks for.
  func perform(_ request: Request, replies: Replies) async throws -> any ResultBody {
    switch request {
    case .status: try await status()
    case .id: try await id()
    case .invite(let fields): try await invite(fields, replies: replies)
    case .join(let fields): try await join(fields, replies: replies)
    case .peers: try await peers()
    case .rename(let fields): try await rename(fields)
    case .verify(let fields): try await verify(fields)
    case .revoke(let fields): try await revoke(fields)
    case .share(let fields): try await share(fields, replies: replies)
    case .unshare(let fields): try await unshare(fields)
    case .list(let fields): try await list(fields)
    case .show(let fields): try await show(fields)
    case .pull(let fields): try await pull(fields, replies: replies)
    case .check(let fields): try await check(fields, replies: replies)
    case .transfers: try await transfers()
    case .cancel(let fields): try await cancel(fields)
    case .forget(let fields): try await forget(fields)
    case .peerAddress(let fields): try await peerAddress(fields)
    case .tickets(let fields): try await tickets(fields)
    }
  }
}

/// What a client hears while its request is under way.
public struct Replies: Sendable {
  private let sendProgress: @Sendable (Progress) -> Void
  private let sendEvent: @Sendable (Event) async -> Void

  /// Replies that go to two functions.
  public init(
    progress: @escaping @Sendable (Progress) -> Void, event: @escaping @Sendable (Event) async -> Void
  ) {
    sendProgress = progress
    sendEvent = event
  }

  /// How far it has come. Costs next to nothing and may be called from anywhere, as often as one likes: the newest wins, and
  /// a few a second go out.
  public func progress(_ progress: Progress) { sendProgress(progress) }

  /// Something happened. Events keep their order; returning means that the line was handed to the client, or that the
  /// client is gone.
  public func event(_ event: Event) async { await sendEvent(event) }
}
